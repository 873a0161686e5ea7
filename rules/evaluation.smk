# Frozen networks on downstream datasets: linear probe, few-shot, kNN, Grad-CAM.


rule eval_dataset:
    """A downstream dataset in the format that all evaluations read."""
    input:
        **inputs_of("eval_dataset"),
    output:
        **made("eval_dataset"),
    log:
        log_of("eval_dataset"),
    conda:
        environment_of("eval_dataset")
    resources:
        **resources_of("eval_dataset"),
    params:
        **recipe("eval_dataset"),
    shell:
        command("eval_dataset")


rule eval_images:
    """The images of a downstream dataset, decoded, resized and cropped once for all checkpoints."""
    input:
        **inputs_of("eval_images"),
    output:
        **made("eval_images"),
    log:
        log_of("eval_images"),
    conda:
        environment_of("eval_images")
    threads: cores("eval_images")
    resources:
        **resources_of("eval_images"),
    params:
        **recipe("eval_images"),
    shell:
        command("eval_images")


rule features:
    """Frozen features of a checkpoint on a downstream dataset."""
    input:
        **inputs_of("features"),
    output:
        **made("features"),
    log:
        log_of("features"),
    conda:
        environment_of("features")
    threads: cores("features")
    resources:
        **resources_of("features"),
    params:
        **recipe("features"),
    shell:
        command("features")


rule linear_probe:
    """Logistic regression on frozen features; its regularisation is chosen on validation data only."""
    input:
        **inputs_of("linear_probe"),
    output:
        **made("linear_probe"),
    log:
        log_of("linear_probe"),
    conda:
        environment_of("linear_probe")
    threads: cores("linear_probe")
    resources:
        **resources_of("linear_probe"),
    params:
        **recipe("linear_probe"),
    shell:
        command("linear_probe")


rule few_shot:
    """Nearest-prototype accuracy over many small episodes."""
    input:
        **inputs_of("few_shot"),
    output:
        **made("few_shot"),
    log:
        log_of("few_shot"),
    conda:
        environment_of("few_shot")
    threads: cores("few_shot")
    resources:
        **resources_of("few_shot"),
    params:
        **recipe("few_shot"),
    shell:
        command("few_shot")


rule knn:
    """Accuracy of nearest neighbours in frozen features."""
    input:
        **inputs_of("knn"),
    output:
        **made("knn"),
    log:
        log_of("knn"),
    conda:
        environment_of("knn")
    threads: cores("knn")
    resources:
        **resources_of("knn"),
    params:
        **recipe("knn"),
    shell:
        command("knn")


rule image_hashes:
    """Fingerprints of the images of a block of shards."""
    input:
        **inputs_of("image_hashes"),
    output:
        **made("image_hashes"),
    log:
        log_of("image_hashes"),
    conda:
        environment_of("image_hashes")
    threads: cores("image_hashes")
    resources:
        **resources_of("image_hashes"),
    params:
        **recipe("image_hashes"),
    shell:
        command("image_hashes")


rule embed_tests:
    """Embedding of every test image of a dataset, of unit length."""
    input:
        **inputs_of("embed_tests"),
    output:
        **made("embed_tests"),
    log:
        log_of("embed_tests"),
    conda:
        environment_of("embed_tests")
    threads: cores("embed_tests")
    resources:
        **resources_of("embed_tests"),
    params:
        **recipe("embed_tests"),
    shell:
        command("embed_tests")


rule vector_matches:
    """Training images whose vectors are closest to those of the test images of a dataset."""
    input:
        **inputs_of("vector_matches"),
    output:
        **made("vector_matches"),
    log:
        log_of("vector_matches"),
    conda:
        environment_of("vector_matches")
    threads: cores("vector_matches")
    resources:
        **resources_of("vector_matches"),
    params:
        **recipe("vector_matches"),
    shell:
        command("vector_matches")


rule leakage:
    """Test images of a dataset that are among the training images."""
    input:
        **inputs_of("leakage"),
    output:
        **made("leakage"),
    log:
        log_of("leakage"),
    conda:
        environment_of("leakage")
    threads: cores("leakage")
    resources:
        **resources_of("leakage"),
    params:
        **recipe("leakage"),
    shell:
        command("leakage")


rule saliency:
    """Grad-CAM maps and floors scored against object masks."""
    input:
        **inputs_of("saliency"),
    output:
        **made("saliency"),
    log:
        log_of("saliency"),
    conda:
        environment_of("saliency")
    threads: cores("saliency")
    resources:
        **resources_of("saliency"),
    params:
        **recipe("saliency"),
    shell:
        command("saliency")


rule saliency_checks:
    """Sanity and faithfulness of the maps of chosen runs."""
    input:
        **inputs_of("saliency_checks"),
    output:
        **made("saliency_checks"),
    log:
        log_of("saliency_checks"),
    conda:
        environment_of("saliency_checks")
    resources:
        **resources_of("saliency_checks"),
    params:
        **recipe("saliency_checks"),
    shell:
        command("saliency_checks")
