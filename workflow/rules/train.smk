# Training and inference: the jobs that want a GPU. Checkpoints and weights stay undeclared, since
# Snakemake deletes the outputs of a failed job and a resumed one needs them.


localrules:
    check_run,


rule check_run:
    output:
        "results/{key}/model.json",
    log:
        "results/{key}/logs/check_run.log",
    benchmark:
        "results/{key}/logs/check_run.tsv"
    # A model that cannot be built is to be seen before hours of training, not after.
    priority: 100
    conda:
        "../../environment.yml"
    params:
        options=job_options,
    shell:
        "python -m tsd check-run {params.options} --log {log:q}"


rule train:
    input:
        what_training_waits_for,
    output:
        "results/{key}/train.json",
    log:
        "results/{key}/logs/train.log",
    benchmark:
        "results/{key}/logs/train.tsv"
    conda:
        "../../environment.yml"
    threads: GRID.scale.resources.threads
    resources:
        **TRAINING,
        attempt=lambda wildcards, attempt: attempt,
    params:
        options=job_options,
    shell:
        "exec {resources.python} -m tsd train {params.options} --threads {threads}"
        " --attempt {resources.attempt} --minutes {resources.minutes} --log {log:q}"


rule detect:
    input:
        rules.train.output,
    output:
        "results/{key}/detect.json",
    log:
        "results/{key}/logs/detect.log",
    benchmark:
        "results/{key}/logs/detect.tsv"
    conda:
        "../../environment.yml"
    threads: GRID.scale.resources.threads
    resources:
        **INFERENCE,
    params:
        options=job_options,
    shell:
        "{resources.python} -m tsd detect {params.options} --threads {threads} --log {log:q}"
