"""JSON schemas of the YAML files, by which an editor completes and checks what is typed."""

from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from tsd.experiments.file_kinds import FileKind

NUMBER = r"^-?[0-9]+(\.[0-9]+)?$"
"""A number as the key of a mapping."""


class _Generator(GenerateJsonSchema):
    """Pydantic's generator, changed to suit an editor and the documentation."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Leave out titles that only repeat the key; those that are left name a type."""
        return False

    def get_default_value(self, schema: core_schema.WithDefaultSchema) -> Any:
        """Give the default also where a function makes it, which pydantic leaves out."""
        if "default_factory" in schema and not schema.get("default_factory_takes_data"):
            return schema["default_factory"]()  # type: ignore[call-arg]
        return super().get_default_value(schema)

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        """Say of a mapping what its keys are; in JSON, numbers as keys are text."""
        keys = self.generate_inner(schema.get("keys_schema", core_schema.any_schema()))
        values = self.generate_inner(schema.get("values_schema", core_schema.any_schema()))
        names = {word: keys[word] for word in ("title", "pattern") if word in keys}
        if keys.get("type") in ("number", "integer"):
            names = {"title": "number", "pattern": NUMBER}
        mapping: JsonSchemaValue = {"type": "object"}
        if names:
            mapping["propertyNames"] = names
        mapping["additionalProperties"] = values or True
        self.update_with_validations(mapping, schema, self.ValidationsMapping.object)
        return mapping

    def sort(self, value: JsonSchemaValue, parent_key: str | None = None) -> JsonSchemaValue:
        """Keep the order of the declarations instead of the alphabet's."""
        return value


def json_schema(kind: FileKind) -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of a kind of file; numbers as keys are text in it."""
    schema = TypeAdapter(kind.content).json_schema(schema_generator=_Generator)
    head = {
        "$schema": _Generator.schema_dialect,
        "title": kind.title,
        "description": kind.about,
    }
    # Twice: it comes first, and it wins over what the model's class says of itself.
    whole: dict[str, Any] = _in_one_line({**head, **schema, **head})
    return whole


def _in_one_line(schema: Any) -> Any:
    """Turn descriptions from docstrings, with `` and line breaks, into a line of Markdown."""
    if isinstance(schema, dict):
        return {
            key: " ".join(value.replace("``", "`").split())
            if key == "description" and isinstance(value, str)
            else _in_one_line(value)
            for key, value in schema.items()
        }
    if isinstance(schema, list):
        return [_in_one_line(entry) for entry in schema]
    return schema
