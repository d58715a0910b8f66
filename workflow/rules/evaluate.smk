# From detections to metrics, and into MLflow. Light, so that a new metric costs no inference.


from tsd.experiments.figure_kinds import EXTRACTION_VERSION
from tsd.experiments.metrics import evaluation_identity


localrules:
    evaluate,
    track,
    retrack,
    track_milestones,


rule evaluate:
    input:
        rules.detect.output,
    output:
        "results/{key}/metrics.json",
    log:
        "results/{key}/logs/evaluate.log",
    benchmark:
        "results/{key}/logs/evaluate.tsv"
    conda:
        "../../environment.yml"
    params:
        options=job_options,
        # A metric that is added has finished trainings evaluated again, and nothing else.
        computes=evaluation_identity(),
    shell:
        "python -m tsd evaluate {params.options} --log {log:q}"


rule extract:
    input:
        rules.train.output,
    output:
        "results/{key}/{kind}.json",
    log:
        "results/{key}/logs/{kind}.log",
    benchmark:
        "results/{key}/logs/{kind}.tsv"
    wildcard_constraints:
        kind="|".join(extractions()),
    conda:
        "../../environment.yml"
    threads: GRID.scale.resources.threads
    resources:
        **INFERENCE,
    params:
        options=job_options,
        version=EXTRACTION_VERSION,
    shell:
        "{resources.python} -m tsd extract {wildcards.kind:q} {params.options} --threads {threads}"
        " > {log:q} 2>&1"


rule milestones:
    # What the weights are worth that a training has kept on its way: inference and evaluation.
    input:
        rules.train.output,
    output:
        "results/{key}/milestones.json",
    log:
        "results/{key}/logs/milestones.log",
    benchmark:
        "results/{key}/logs/milestones.tsv"
    conda:
        "../../environment.yml"
    threads: GRID.scale.resources.threads
    resources:
        **INFERENCE,
    params:
        options=job_options,
        # As for the end of the training, so that a new metric is measured on the way too.
        computes=evaluation_identity(),
    shell:
        "{resources.python} -m tsd milestones {params.options} --threads {threads} --log {log:q}"


rule submit:
    input:
        rules.train.output,
    output:
        "results/{key}/submission.zip",
    log:
        "results/{key}/logs/submit.log",
    benchmark:
        "results/{key}/logs/submit.tsv"
    conda:
        "../../environment.yml"
    threads: GRID.scale.resources.threads
    resources:
        **INFERENCE,
    params:
        options=job_options,
        # For a change of it to be seen.
        rests_on=lambda wildcards: job_at(wildcards).submission,
    shell:
        "{resources.python} -m tsd submit {params.options} --threads {threads} --out {output:q} > {log:q} 2>&1"


rule submissions:
    input:
        files_for_servers,
    localrule: True


rule latency:
    input:
        rules.train.output,
    output:
        "results/{key}/latency.json",
    log:
        "results/{key}/logs/latency.log",
    benchmark:
        "results/{key}/logs/latency.tsv"
    conda:
        "../../environment.yml"
    # All of this machine: what runs beside it would be measured too.
    threads: GRID.scale.resources.threads if SITE else workflow.cores or 1
    resources:
        **INFERENCE,
    params:
        options=job_options,
        threads=GRID.scale.resources.threads,
    shell:
        "{resources.python} -m tsd latency {params.options} --threads {params.threads} --log {log:q}"


rule track:
    input:
        rules.evaluate.output,
        rules.open_tracking.output,
    output:
        "results/{key}/tracking.json",
    log:
        "results/{key}/logs/track.log",
    benchmark:
        "results/{key}/logs/track.tsv"
    conda:
        "../../environment.yml"
    params:
        options=job_options,
        store=redact(tracking_uri()),
    shell:
        "python -m tsd track {params.options} --out {output:q} --log {log:q}"


rule retrack:
    # The latency is measured when a table asks for it, which may be long after the tracking.
    input:
        rules.track.output,
        rules.latency.output,
    output:
        "results/{key}/retracking.json",
    log:
        "results/{key}/logs/retrack.log",
    benchmark:
        "results/{key}/logs/retrack.tsv"
    conda:
        "../../environment.yml"
    params:
        options=job_options,
        store=redact(tracking_uri()),
    shell:
        "python -m tsd track {params.options} --out {output:q} --log {log:q}"


rule track_milestones:
    # They are measured when a figure asks for them, which may be long after the tracking.
    input:
        rules.track.output,
        rules.milestones.output,
    output:
        "results/{key}/milestones_tracking.json",
    log:
        "results/{key}/logs/track_milestones.log",
    benchmark:
        "results/{key}/logs/track_milestones.tsv"
    conda:
        "../../environment.yml"
    params:
        options=job_options,
        store=redact(tracking_uri()),
    shell:
        "python -m tsd track {params.options} --out {output:q} --log {log:q}"
