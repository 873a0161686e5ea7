"""Which environment variables a job sees: libraries read hundreds, and many of them change numbers under one key."""

import logging
import os
import re
from fnmatch import translate

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
_LEFT = {
    "The account, the shell and where files go": """
        PATH HOME USER LOGNAME USERNAME SHELL TERM PWD COLUMNS LINES NO_COLOR LANG LANGUAGE LC_* TZ TMPDIR TEMP TMP
        XDG_* HOSTNAME
    """,
    "How programs start, and environments of packages": """
        LD_* MALLOC_* PYTHON* VIRTUAL_ENV CONDA_* MAMBA_* APPTAINER_* SINGULARITY_*
    """,
    "Which GPUs there are, and where code compiled for them is kept": """
        CUDA_VISIBLE_DEVICES CUDA_DEVICE_ORDER CUDA_HOME CUDA_PATH CUDA_CACHE_* CUDA_MPS_* CUDA_LAUNCH_BLOCKING
        CUDA_MODULE_LOADING NVIDIA_VISIBLE_DEVICES NVIDIA_DRIVER_CAPABILITIES HIP_VISIBLE_DEVICES
        ROCR_VISIBLE_DEVICES PYTORCH_ALLOC_CONF PYTORCH_CUDA_ALLOC_CONF TRITON_CACHE_DIR TORCHINDUCTOR_CACHE_DIR
        TORCHINDUCTOR_COMPILE_THREADS TORCHDYNAMO_VERBOSE
    """,
    "The allocation: a scheduler's words, and the network among its machines": """
        SLURM* SBATCH_* SRUN_* SALLOC_* PBS_* LSB_* SGE_* FLUX_* WORLD_SIZE NCCL_* TORCH_NCCL_* GLOO_*
        TP_SOCKET_IFNAME FI_* UCX_*
    """,
    "Where threads run, not how many": """
        OMP_PROC_BIND OMP_PLACES OMP_WAIT_POLICY GOMP_* KMP_AFFINITY KMP_BLOCKTIME
    """,
    "The way to the internet, and who asks": """
        HTTP_PROXY HTTPS_PROXY FTP_PROXY ALL_PROXY NO_PROXY http_proxy https_proxy ftp_proxy all_proxy no_proxy
        SSL_CERT_* REQUESTS_CA_BUNDLE CURL_CA_BUNDLE KRB5* NETRC GIT_*
    """,
    "Models: where they are kept, how they are fetched, what is logged": """
        HF_* HUGGINGFACE_* HUGGING_FACE_HUB_TOKEN TRANSFORMERS_OFFLINE TRANSFORMERS_CACHE TRANSFORMERS_VERBOSITY
        TORCH_HOME SENTENCE_TRANSFORMERS_HOME MPLCONFIGDIR JOBLIB_TEMP_FOLDER WANDB_* TENSORBOARD_* TRACKIO_*
    """,
    "This workflow's own, and what measures its tests": """
        FAITHFUL_PAIRS_* UV_THREADPOOL_SIZE PYTEST_* SLIPCOVER*
    """,
}
LEFT = tuple(" ".join(_LEFT.values()).split())
"""Patterns of the variables that a job sees and that change no numbers. All others are unset, but :data:`RECORDED`."""
_ONEDNN = ("DNNL", "MKLDNN", "ONEDNN")  # oneDNN's name, now and before: it obeys all three
RECORDED = (
    # Instructions of the processor: some virtual machines report those that they lack, some libraries take the wrong
    # ones, and a cluster may agree on those that all of its nodes have.
    "ATEN_CPU_CAPABILITY",
    "BLIS_ARCH_TYPE",
    "FAISS_DISABLE_CPU_FEATURES",
    "FAISS_OPT_LEVEL",
    "FAISS_SIMD_LEVEL",
    "MKL_CBWR",
    "MKL_DEBUG_CPU_TYPE",
    "MKL_ENABLE_INSTRUCTIONS",
    "MKL_VML_DEBUG_CPU_TYPE",
    "NPY_DISABLE_CPU_FEATURES",
    "NPY_ENABLE_CPU_FEATURES",
    "OPENBLAS_CORETYPE",
    "OPENBLAS_L2_SIZE",
    *(f"{name}_{limit}" for name in _ONEDNN for limit in ("CPU_ISA_HINTS", "MAX_CPU_ISA")),
    "GLIBC_TUNABLES",  # read when a process starts, so unsetting it would be too late
    # Libraries in place of others, and which library of threads MKL joins.
    "KMP_DUPLICATE_LIB_OK",
    "LD_PRELOAD",
    "MKL_THREADING_LAYER",
    # GPUs: deterministic products, algorithms that fail on a card, cards that are not known, and how processes add up.
    "CUBLAS_WORKSPACE_CONFIG",
    "CUDNN_ERRATA_JSON_FILE",
    "NCCL_ALGO",
    "NCCL_PROTO",
    "TORCH_CUDNN_V8_API_DISABLED",
)
"""Those that change numbers, but without which some machines don't work, or give other numbers than the rest."""
_LIBRARIES = """
    ACCELERATE FSDP DEEPSPEED MEGATRON MIXED_PRECISION ATEN BLIS CUBLAS CUDA CUDNN DNNL FAISS FREETYPE KMP MKL NPY
    NVIDIA OMP ONEDNN OPENBLAS PYTORCH SCIPY SKLEARN TIMM TORCH TRANSFORMERS TRITON USE_HUB_KERNELS
"""
_left = re.compile("|".join(map(translate, (*LEFT, *THREAD_VARIABLES))))
_named = re.compile(r"\$\{(\w+)\}")
log = logging.getLogger(__name__)


def limit_threads(threads: int) -> None:
    """Set the math libraries' thread count; takes effect only before they are imported."""
    for name in THREAD_VARIABLES:
        os.environ[name] = str(threads)


def keeps(name: str) -> bool:
    """Whether a job sees a variable if it is set where the workflow runs."""
    return name in RECORDED or _left.match(name) is not None


def unset_variables(settings: str = "") -> None:
    """Unset all but the variables of a job; takes effect only before the libraries are imported. Children inherit it.

    Args:
        settings: the job's settings as text: variables that a URL in it names as ``${NAME}`` are left.
    """
    named = set(_named.findall(settings))
    unset = sorted(name for name in os.environ if name not in named and not keeps(name))
    for name in unset:
        del os.environ[name]
    known = [name for name in unset if name.startswith(tuple(_LIBRARIES.split()))]
    if known:
        log.warning("ignored, since they may change numbers: %s", ", ".join(known))
    # Else a user's style would be in the figures.
    os.environ["MATPLOTLIBRC"] = os.devnull


def recorded_variables() -> dict[str, str]:
    """Those of this process that change numbers and are left as they are."""
    return {name: value for name, value in sorted(os.environ.items()) if name in RECORDED}
