"""``ro-crate-metadata.json``: what a bundle holds, in the words of RO-Crate 1.1.

The format is JSON-LD with a fixed layout (https://www.researchobject.org/ro-crate/specification/1.1),
so that it is written by hand here and takes no library. No licence is stated for the results,
since the project declares none for them.
"""

import json
from collections.abc import Iterable
from typing import Any

from tsd.results.bundle_format import CRATE, MANIFEST, BundledFile

_FORMATS = {
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".csv": "text/csv",
    ".pth": "application/octet-stream",
}


def crate_metadata(
    title: str, made: str, commit: str | None, files: Iterable[BundledFile]
) -> bytes:
    """Describe a bundle as an RO-Crate.

    Args:
        title: What the bundle is called.
        made: When it was made, in ISO 8601.
        commit: That of the code that made it.
        files: All its files but the manifest and this one.

    Returns:
        The content of the file.
    """
    files = list(files)
    trainings: dict[str, list[str]] = {}
    for file in files:
        if file.training is not None:
            trainings.setdefault(f"results/{file.training}/", []).append(file.path)
    others = [file.path for file in files if file.training is None]
    graph: list[dict[str, Any]] = [
        {
            "@id": CRATE,
            "@type": "CreativeWork",
            "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"},
            "about": {"@id": "./"},
        },
        {
            "@id": "./",
            "@type": "Dataset",
            "name": title,
            "description": f"{title}: metrics, detections, losses and configs of each training, "
            "with the declarations that a report of them needs.",
            "datePublished": made,
            "hasPart": _ids([MANIFEST, *others, *trainings]),
        },
        {"@id": "#code", "@type": "SoftwareSourceCode", "name": "TSD, reproduced"}
        | ({} if commit is None else {"version": commit}),
        {
            "@id": "#bundling",
            "@type": "CreateAction",
            "name": "Making this bundle; what trained is said in each train.json",
            "instrument": {"@id": "#code"},
            "result": {"@id": "./"},
        },
        {"@id": MANIFEST, "@type": "File", "encodingFormat": "application/json"},
        *map(_file, files),
    ]
    graph += [
        {"@id": folder, "@type": "Dataset", "name": folder, "hasPart": _ids(paths)}
        for folder, paths in trainings.items()
    ]
    content = {"@context": "https://w3id.org/ro/crate/1.1/context", "@graph": graph}
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()


def _ids(names: Iterable[str]) -> list[dict[str, str]]:
    return [{"@id": name} for name in names]


def _file(file: BundledFile) -> dict[str, Any]:
    suffix = "." + file.path.rpartition(".")[2]
    return {
        "@id": file.path,
        "@type": "File",
        "contentSize": str(file.size),
        "sha256": file.sha256,
        "encodingFormat": _FORMATS.get(suffix, "application/octet-stream"),
    }
