"""Environment variables that libraries read and that change numbers, so that two jobs with one key would differ.

Each is unset in stages, or recorded and named by ``verify``. The entries of both lists are beginnings of names.
"""

import logging
import os

log = logging.getLogger(__name__)
_ONEDNN = ("DNNL", "MKLDNN", "ONEDNN")  # oneDNN's name, now and before: it obeys all three

# No machine needs these.
UNSET = (
    # Precision, which is the settings' to decide.
    *(f"{name}_DEFAULT_FPMATH_MODE" for name in _ONEDNN),
    *("HIPBLASLT_ALLOW_TF32", "NVIDIA_TF32_OVERRIDE", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE"),
    *("MKL_VML_MODE", "TRITON_DEFAULT_FP_FUSION", "TRITON_F32_DEFAULT"),
    # Fewer threads than the job's, or another division of work and order of sums among them.
    *("OMP_ADAPTIVE", "OMP_DYNAMIC", "OMP_MAX_ACTIVE_LEVELS", "OMP_NESTED", "OMP_SCHEDULE", "OMP_THREAD_LIMIT"),
    *("KMP_ALL_THREADS", "KMP_DETERMINISTIC_REDUCTION", "KMP_DEVICE_THREAD_LIMIT", "KMP_FORCE_REDUCTION"),
    *("KMP_LIBRARY", "MKL_DOMAIN_NUM_THREADS", "MKL_DYNAMIC", "MKL_NUM_STRIPES"),
    # Sizes of blocks, and which of several algorithms is taken.
    *("MKL_DISABLE_FAST_MM", "OPENBLAS_BLOCK_FACTOR", "OPENBLAS_L2_SIZE"),
    *("CUBLASLT_WORKSPACE_SIZE", "HIPBLASLT_WORKSPACE_SIZE", "PYTORCH_MIOPEN_", "PYTORCH_TUNABLEOP_"),
    *("TORCH_BLAS_PREFER_", "TORCH_CUDNN_USE_HEURISTIC_MODE_B", "TORCH_LINALG_PREFER_", "TORCH_LINEAR_FLATTEN_3D"),
    *("TORCH_MKLDNN_MATMUL_MIN_", "TORCH_ROCM_FA_PREFER_CK"),
    *("SCIPY_ARRAY_API", "SKLEARN_PAIRWISE_DIST_CHUNK_SIZE", "SKLEARN_WORKING_MEMORY"),
    *("TIMM_FUSED_ATTN", "USE_HUB_KERNELS"),
    # Whether and how networks are compiled, which is the settings' to decide.
    *("TORCHDYNAMO_", "TORCHINDUCTOR_", "TORCH_COMPILE_BACKEND", "TORCH_COMPILE_DISABLE"),
    "TORCH_COMPILE_OVERRIDE_BACKENDS",
    # How text is drawn in figures.
    "FREETYPE_PROPERTIES",
)
# These change where compiled code is kept, how long it takes and what is logged, never numbers.
KEPT = ("TORCHDYNAMO_VERBOSE", "TORCHINDUCTOR_CACHE_DIR", "TORCHINDUCTOR_COMPILE_THREADS")
# Some machines need these to work at all, or to give the numbers of the others.
RECORDED = (
    # Instructions of the processor: some virtual machines report those that they lack, some libraries take the wrong
    # ones, and a cluster may agree on those that all of its nodes have.
    *("ATEN_CPU_CAPABILITY", "BLIS_ARCH_TYPE", "FAISS_DISABLE_CPU_FEATURES", "FAISS_OPT_LEVEL", "FAISS_SIMD_LEVEL"),
    *("MKL_CBWR", "MKL_DEBUG_CPU_TYPE", "MKL_ENABLE_INSTRUCTIONS", "MKL_VML_DEBUG_CPU_TYPE"),
    *("NPY_DISABLE_CPU_FEATURES", "NPY_ENABLE_CPU_FEATURES", "OPENBLAS_CORETYPE", "OPENCV_CPU_DISABLE", "OPENCV_IPP"),
    *(f"{name}_{limit}" for name in _ONEDNN for limit in ("CPU_ISA_HINTS", "MAX_CPU_ISA")),
    "GLIBC_TUNABLES",  # read when a process starts, so unsetting it would be too late
    # Libraries in place of others, and which library of threads MKL joins.
    *("LD_PRELOAD", "MKL_THREADING_LAYER"),
    # GPUs: deterministic products, algorithms that fail on a card, cards that are not known, and how processes add up.
    *("CUBLAS_WORKSPACE_CONFIG", "CUDNN_ERRATA_JSON_FILE", "HSA_OVERRIDE_GFX_VERSION", "NCCL_ALGO", "NCCL_PROTO"),
    "TORCH_CUDNN_V8_API_DISABLED",
)


def unset_variables() -> None:
    """Unset what would change numbers; takes effect only before the libraries are imported. Children inherit it."""
    found = sorted(name for name in os.environ if name.startswith(UNSET) and name not in KEPT)
    for name in found:
        del os.environ[name]
    if found:
        log.warning("ignored, since they would change numbers: %s", ", ".join(found))
    # Else a user's style would be in the figures.
    os.environ["MATPLOTLIBRC"] = os.devnull


def recorded_variables() -> dict[str, str]:
    """Those of this process that change numbers and are left as they are."""
    return {name: value for name, value in sorted(os.environ.items()) if name.startswith(RECORDED)}
