# From detections to metrics, and into MLflow. Light, so that a new metric costs no inference.


localrules:
    evaluate,
    track,


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
    shell:
        "python -m tsd evaluate {params.options} --log {log:q}"


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
        "python -m tsd track {params.options} --log {log:q}"
