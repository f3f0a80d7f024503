"""make.py FOLDER: write the schemas of custom resources beside this file, of packages that lie unpacked in FOLDER.

Those of npm have TypeScript declarations, that of PyPI pydantic models, made of the operators' own Go types. A declaration says
which fields there are, of which types, which are needed, and which words may stand there; patterns, bounds and rules between
fields it does not say.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
# Kinds in use, by the package that declares them.
KINDS = {
    "@kubernetes-models/external-secrets": ("external-secrets.io/v1/ExternalSecret",),
    "@kubernetes-models/gateway-api": ("gateway.networking.k8s.io/v1/HTTPRoute",),
    "@kubernetes-models/keda": ("keda.sh/v1alpha1/ScaledObject",),
    "@kubernetes-models/prometheus-operator": (
        "monitoring.coreos.com/v1/PodMonitor",
        "monitoring.coreos.com/v1/PrometheusRule",
        "monitoring.coreos.com/v1/ServiceMonitor",
    ),
}
PLAIN: dict[str, Any] = {
    "string": {"type": "string"},
    "boolean": {"type": "boolean"},
    "number": {"type": "number"},
    "null": {"type": "null"},
    "any": {},
    "unknown": {},
    "object": {"type": "object"},
}
# Whose fields the API server knows by itself, for objects of all kinds.
OBJECT_META = "@kubernetes-models/apimachinery/apis/meta/v1/ObjectMeta"
Schema = dict[str, Any]


class Declarations:
    """Declarations as JSON Schema; those that one kind needs are gathered beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.found: dict[str, Schema] = {}

    def of(self, path: str) -> Schema:
        """A reference to what is declared in a file, such as @kubernetes-models/keda/keda.sh/v1alpha1/Fallback."""
        if path == OBJECT_META:
            return {"type": "object"}
        if path not in self.found:
            self.found[path] = {}  # for those that refer to themselves
            self.found[path] = self._declared(path)
        return {"$ref": f"#/$defs/{path.replace('/', '~1')}"}

    def _declared(self, path: str) -> Schema:
        text = re.sub(
            r"/\*.*?\*/", "", (self.folder / f"{path}.d.ts").read_text(encoding="utf-8"), flags=re.S
        )
        modules = dict(re.findall(r'import \{ (\w+) \} from "([^"]+)"', text))
        name = path.rsplit("/", 1)[-1]
        if alias := re.search(rf"^export type I?{name} = (.*?);$", text, re.S | re.M):
            return self._type(alias[1], path, modules)
        body = re.search(rf"^export declare class {name} [^{{]*\{{\n(.*?)^\}}", text, re.S | re.M)
        if body is None:
            raise SystemExit(
                f"{path}.d.ts declares neither a class nor a type {name}: look what has become of it"
            )
        fields = re.findall(
            r'^    "([^"]+)"(\??): (.*?);$(?=\n    ["a-z]|\Z)', body[1].rstrip("\n"), re.S | re.M
        )
        return {
            "type": "object",
            "properties": {own: self._type(kind, path, modules) for own, _, kind in fields},
            "required": [own for own, optional, _ in fields if not optional],
            "additionalProperties": False,
        }

    def _type(self, text: str, path: str, modules: dict[str, str]) -> Schema:
        text = text.strip()
        if text in PLAIN:
            return dict(PLAIN[text])
        if re.fullmatch(r'("[^"]*"|\d+)(\s*\|\s*("[^"]*"|\d+))*', text):
            return {"enum": [json.loads(word) for word in re.findall(r'"[^"]*"|\d+', text)]}
        if several := re.fullmatch(r"Array<(.*)>", text, re.S):
            return {"type": "array", "items": self._type(several[1], path, modules)}
        if mapped := re.fullmatch(r"\{\s*\[key: string\]: (.*?);?\s*\}", text, re.S):
            return {"type": "object", "additionalProperties": self._type(mapped[1], path, modules)}
        if "|" in text:
            return {"anyOf": [self._type(own, path, modules) for own in text.split("|")]}
        if text in modules:
            return self.of(_resolved(modules[text], path))
        raise SystemExit(f"{path}.d.ts has the type {text!r}: teach this script what it is")


def _resolved(module: str, path: str) -> str:
    """A module that is named beside a file, from the folder of packages."""
    module = module.removesuffix(".js")
    if not module.startswith("."):
        return module
    parts = path.split("/")[:-1]
    for word in module.split("/"):
        parts = parts[:-1] if word == ".." else parts if word == "." else [*parts, word]
    return "/".join(parts)


def train_job(folder: Path) -> Schema:
    """Of Kubeflow Trainer, of the models in its package of PyPI."""
    sys.path.insert(0, str(folder))
    from kubeflow_trainer_api import __version__, models  # type: ignore[import-not-found,unused-ignore]

    schema: Schema = _strict(models.TrainerV1alpha1TrainJob.model_json_schema(by_alias=True))
    schema["$defs"]["IoK8sApimachineryPkgApisMetaV1ObjectMeta"] = {"type": "object"}
    for name in ("ApiResourceQuantity", "UtilIntstrIntOrString"):  # of which the models know nothing
        schema["$defs"][f"IoK8sApimachineryPkg{name}"] = {"type": ["string", "number"]}
    return {
        "$comment": f"Made by make.py of PyPI's kubeflow-trainer-api {__version__} (Apache-2.0)",
        **schema,
    }


def _strict(schema: Any) -> Any:
    """A schema without its prose, which lets no field pass that it does not name."""
    if isinstance(schema, list):
        return [_strict(own) for own in schema]
    if not isinstance(schema, dict):
        return schema
    several = [
        own for own in schema.get("anyOf", []) if own != {"type": "null"}
    ]  # the API server drops what is null
    if several:
        schema = several[0] if len(several) == 1 else {"anyOf": several}
    prose = ("description", "title", "default")
    found = {key: _strict(own) for key, own in schema.items() if key not in prose or isinstance(own, dict)}
    if found.get("properties") and "additionalProperties" not in found:
        found["additionalProperties"] = False
    return found


def write(kind: str, schema: Schema) -> None:
    (HERE / f"{kind.replace('/', '_')}.json").write_text(
        json.dumps(schema, indent=1) + "\n", encoding="utf-8"
    )


def main(folder: Path) -> None:
    write("trainer.kubeflow.org/v1alpha1/TrainJob", train_job(folder))
    for package, kinds in KINDS.items():
        about = json.loads((folder / package / "package.json").read_text(encoding="utf-8"))
        for kind in kinds:
            declarations = Declarations(folder)
            reference = declarations.of(f"{package}/{kind}")
            schema = {
                "$comment": f"Made by make.py of npm's {package} {about['version']} ({about['license']})",
                **reference,
                "$defs": dict(sorted(declarations.found.items())),
            }
            write(kind, schema)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
