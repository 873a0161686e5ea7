"""Which variables a job sees: those that libraries read are unset, recorded, or known to change no number."""

import importlib.util
import os
import re
from pathlib import Path

import pytest

from workflow_scripts.core.runtime.variables import (
    LEFT,
    RECORDED,
    THREAD_VARIABLES,
    keeps,
    limit_threads,
    recorded_variables,
    unset_variables,
)

PACKAGES = """
    torch torchvision transformers accelerate sentence_transformers huggingface_hub tokenizers safetensors timm
    numpy scipy sklearn joblib faiss PIL matplotlib pyarrow webdataset pytorch_grad_cam cv2
"""
NAME = r"\s*[\"']([A-Za-z_]\w+)[\"']"
READS = re.compile(
    rf"(?:environ(?:\.get|\.pop|\.setdefault)?|getenv|\w+_from_env)\s*[(\[]+{NAME}|{NAME}\s+(?:not )?in os\.environ"
    rf"|env_name(?:_force|_default)?={NAME}"
)
# Beginnings of names -> why a job may see them though libraries read them.
HARMLESS = {
    "the account, the terminal and folders": """
        HOME USER USERNAME SHELL TERM COLUMNS LINES NO_COLOR LANG LC_ TZ PATH TMPDIR TEMP TMP XDG_ LD_LIBRARY_PATH
        PYTHON VIRTUAL_ENV CONDA_ APPTAINER_CACHEDIR
    """,
    "where files are kept": """
        HF_HOME HF_ASSETS_CACHE HF_MODULES_CACHE HF_HUB_CACHE HF_XET_CACHE HF_TOKEN_PATH HUGGINGFACE_ASSETS_CACHE
        HUGGINGFACE_HUB_CACHE SENTENCE_TRANSFORMERS_HOME TORCH_HOME MPLCONFIGDIR JOBLIB_TEMP_FOLDER TRITON_CACHE_DIR
        TORCHINDUCTOR_CACHE_DIR
    """,
    "how models are fetched: their bytes are checked": """
        HF_ENDPOINT HF_TOKEN HF_HUB_ HF_INFERENCE_ENDPOINT HF_OIDC_ HF_XET_HIGH_PERFORMANCE
        HF_DEVICE_CODE_OAUTH_CLIENT_ID HUGGINGFACE_CO_STAGING HUGGING_FACE_HUB_TOKEN NETRC no_proxy
        TRANSFORMERS_OFFLINE SSL_CERT_ REQUESTS_CA_BUNDLE CURL_CA_BUNDLE GIT_
    """,
    "what is logged": """
        HF_DAGSHUB_ HF_DEBUG HF_DVCLIVE_ HF_MLFLOW_ TENSORBOARD_ TORCHDYNAMO_VERBOSE TORCH_NCCL_DESYNC_DEBUG
        TORCH_NCCL_DUMP_ON_TIMEOUT TORCH_NCCL_TRACE_BUFFER_SIZE TRACKIO_ TRANSFORMERS_VERBOSITY WANDB_
    """,
    "which GPUs there are, and how CUDA starts": """
        CUDA_HOME CUDA_PATH CUDA_VISIBLE_DEVICES CUDA_LAUNCH_BLOCKING CUDA_MODULE_LOADING HIP_VISIBLE_DEVICES
        ROCR_VISIBLE_DEVICES TORCHINDUCTOR_COMPILE_THREADS
    """,
    "the allocation and its network": "SLURM WORLD_SIZE NCCL_ TORCH_NCCL_ASYNC TORCH_NCCL_BLOCKING",
    "the job's own number of threads": " ".join(THREAD_VARIABLES),
    "tests": "PYTEST_",
}
CHANGE_NUMBERS = """
    ACCELERATE_GRADIENT_ACCUMULATION_STEPS ACCELERATE_DYNAMO_BACKEND ACCELERATE_USE_FSDP ACCELERATE_USE_DEEPSPEED
    ACCELERATE_DOWNCAST_BF16 ACCELERATE_MIXED_PRECISION FSDP_CPU_RAM_EFFICIENT NVIDIA_TF32_OVERRIDE
    TORCH_ALLOW_TF32_CUBLAS_OVERRIDE ONEDNN_DEFAULT_FPMATH_MODE MKL_VML_MODE OMP_THREAD_LIMIT OMP_DYNAMIC
    OMP_SCHEDULE MKL_DYNAMIC MKL_NUM_STRIPES KMP_FORCE_REDUCTION OPENBLAS_BLOCK_FACTOR PYTORCH_TUNABLEOP_ENABLED
    TORCHINDUCTOR_USE_FAST_MATH TORCHDYNAMO_DISABLE TORCH_COMPILE_DISABLE TIMM_FUSED_ATTN SCIPY_ARRAY_API
    SKLEARN_WORKING_MEMORY FREETYPE_PROPERTIES WDS_SEED WDS_SHUFFLE_SIZE RANK LOCAL_RANK XLA_USE_BF16
"""


def test_variables_that_libraries_read_are_unset_recorded_or_harmless() -> None:
    read = set()
    for package in PACKAGES.split():
        spec = importlib.util.find_spec(package)
        assert spec is not None and spec.submodule_search_locations
        for path in Path(spec.submodule_search_locations[0]).rglob("*.py"):
            text = path.read_text(errors="replace")
            read |= {next(filter(None, names)) for names in READS.findall(text)} if "env" in text else set()
    assert len(read) > 500
    harmless = tuple(" ".join(HARMLESS.values()).split())
    assert [
        name for name in sorted(read) if keeps(name) and name not in RECORDED and not name.startswith(harmless)
    ] == []


@pytest.mark.parametrize("name", CHANGE_NUMBERS.split())
def test_variables_that_change_numbers_are_unset(name: str) -> None:
    assert not keeps(name)


def test_others_are_unset_and_reported_if_a_library_reads_them(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    libraries = ("ACCELERATE_USE_FSDP", "OMP_THREAD_LIMIT", "TORCHINDUCTOR_USE_FAST_MATH", "TORCH_BLAS_PREFER_CUBLASLT")
    unset = (*libraries, "LESSOPEN", "OTHER_TOKEN")
    left = ("OMP_PROC_BIND", "TORCHINDUCTOR_CACHE_DIR", "TORCH_HOME", "MKL_CBWR", "DATA_TOKEN", "SLURM_JOB_ID")
    for name in (*unset, *left, "MATPLOTLIBRC"):
        monkeypatch.setenv(name, "1")
    unset_variables('{"at": "https://example.org/a.zip?key=${DATA_TOKEN}"}')
    assert {name: os.environ.get(name) for name in (*unset, *left)} == dict.fromkeys(unset) | dict.fromkeys(left, "1")
    assert os.environ["MATPLOTLIBRC"] == os.devnull
    assert caplog.messages == [f"ignored, since they may change numbers: {', '.join(libraries)}"]
    caplog.clear()
    unset_variables("${DATA_TOKEN}")
    assert caplog.messages == []


def test_variables_that_some_machines_need_are_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in RECORDED:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    monkeypatch.setenv("DNNL_MAX_CPU_ISA", "AVX2")
    assert recorded_variables() == {"DNNL_MAX_CPU_ISA": "AVX2", "OPENBLAS_CORETYPE": "Haswell"}
    assert not set(RECORDED) & set(LEFT) and all(map(keeps, RECORDED))


def test_all_libraries_get_the_same_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in THREAD_VARIABLES:
        monkeypatch.setenv(name, "1")
    limit_threads(3)
    assert {os.environ[name] for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", *THREAD_VARIABLES)} == {"3"}
