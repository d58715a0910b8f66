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


# Where trainings share a job of a cluster, each is tried in it and then taken over, since a job that
# is shared succeeds or fails as a whole (tsd/cli/pack_step.py).
if TRAININGS_A_JOB > 1:

    rule attempt:
        input:
            what_training_waits_for,
        output:
            "results/{key}/attempt.json",
        log:
            "results/{key}/logs/train.log",
        benchmark:
            "results/{key}/logs/train.tsv"
        group:
            pack
        conda:
            "../../environment.yml"
        threads: GRID.scale.resources.threads
        resources:
            **TRAINING,
            attempt=lambda wildcards, attempt: attempt,
        params:
            options=job_options,
        shell:
            "exec {resources.python} -m tsd attempt {params.options} --threads {threads}"
            " --attempt {resources.attempt} --attempts {ATTEMPTS}"
            " --minutes {resources.minutes} --log {log:q} --out {output:q}"

    rule train:
        input:
            what_was_tried,
        output:
            "results/{key}/train.json",
        log:
            "results/{key}/logs/take-over.log",
        benchmark:
            "results/{key}/logs/take-over.tsv"
        retries: 0
        localrule: True
        conda:
            "../../environment.yml"
        params:
            options=job_options,
        shell:
            "python -m tsd take-over {params.options}"
            " --outcome results/{wildcards.key:q}/attempt.json 2> >(tee {log:q} >&2)"

else:

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
