"""@context compiled once into two dictionaries: client term → canonical name, and back (clause 5.5.7, JSON-LD 1.1).

Compiling is pure: remote documents are handed in, already fetched (`context_source`). The core terms always win.
Type-coerced term definitions are read for their IRI only; values are never coerced by a context. Scoped contexts are
refused where a client sends them (clause 5.5.7) and passed over in documents it only refers to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from madang.hub.errors import BadRequestDataError, LdContextNotAvailableError
from madang.hub.names import (
    CORE,
    CORE_ADDRESS,
    CORE_URL,
    DEFAULT,
    PREFIXES,
    canonical_iri,
    check_name,
    expand_canonical,
)

KEYWORDS = {"@id": "id", "@type": "type"}
_MAX_CACHED = 20_000
_MAX_TERMS = 50_000
_GEN_DELIMS = tuple(":/?#[]@")

Json = Any  # Any: JSON as it came


class Context:
    """One @context, ready to translate names. `source` is what is said back to the client."""

    __slots__ = ("_back", "_bases", "_prefixes", "_terms", "is_core", "known", "source")

    def __init__(self, source: Json, terms: Mapping[str, str], prefixes: Mapping[str, str]) -> None:
        self.source = source
        self._terms = {term: iri for term, iri in terms.items() if term not in CORE}
        self._bases = {**prefixes, **PREFIXES}
        self._prefixes = sorted(((base, name) for name, base in self._bases.items()), key=lambda p: (len(p[1]), p[1]))
        self.is_core = not self._terms
        self.known: dict[str, str] = {}
        self._back: dict[str, str] = {}
        for term in sorted(self._terms, key=lambda name: (len(name), name)):
            name = canonical_iri(self._terms[term])
            if name not in CORE:
                self._back.setdefault(name, term)

    def canonical(self, term: str) -> str:
        """The canonical name of a client's term, compact IRI or IRI; raises `BadRequestDataError`."""
        known = self.known.get(term)
        if known is not None:
            return known
        name = canonical_iri(self.expand(check_name(term)))
        if len(self.known) < _MAX_CACHED:
            self.known[term] = name
        return name

    def expand(self, term: str) -> str:
        """The absolute IRI of a term."""
        if term in CORE:
            return CORE[term]
        if (iri := self._terms.get(term)) is not None:
            return iri
        prefix, colon, rest = term.partition(":")
        if not colon:
            return DEFAULT + term
        base = self._bases.get(prefix)
        return base + rest if base and not rest.startswith("//") else term

    def is_prefix(self, name: str) -> bool:
        """Whether it stands for the beginning of IRIs."""
        return name in self._bases

    def term(self, name: str) -> str:
        """How this @context names a canonical name."""
        known = self._back.get(name)
        if known is None:
            known = self._compact(name)
            if len(self._back) < _MAX_CACHED:
                self._back[name] = known
        return known

    def _compact(self, name: str) -> str:
        if name in CORE or name in KEYWORDS.values():
            return name
        if ":" not in name and name not in self._terms:
            return name
        iri = expand_canonical(name)
        compacts = [
            f"{prefix}:{iri[len(base) :]}"
            for base, prefix in self._prefixes
            if iri.startswith(base) and len(iri) > len(base)
        ]
        found = min((one for one in compacts if one not in self._terms), key=lambda one: (len(one), one), default=None)
        return found or (iri if ":" not in name else name)


CORE_CONTEXT = Context(CORE_URL, {}, {})


def remote_addresses(source: Json) -> Iterator[str]:
    """The addresses a context refers to directly, the core's own left out."""
    for part in source if isinstance(source, list) else [source]:
        if isinstance(part, str):
            if not CORE_ADDRESS.match(part):
                yield part
        elif isinstance(part, dict) and isinstance(part.get("@import"), str):
            yield part["@import"]


def compile_context(source: Json, documents: Mapping[str, Json]) -> Context:
    """Compiles a context (address, object or list); raises `BadRequestDataError` for nonsense, cycles included."""
    compiler = _Compiler(documents)
    compiler.take(source, ())
    return Context(source, compiler.terms, compiler.prefixes)


class _Compiler:
    def __init__(self, documents: Mapping[str, Json]) -> None:
        self._documents = documents
        self.terms: dict[str, str] = {}
        self.prefixes: dict[str, str] = {}
        self._vocab = DEFAULT
        self._sent = True

    def take(self, source: Json, path: tuple[str, ...]) -> None:
        for part in source if isinstance(source, list) else [source]:
            if part is None:
                self.terms, self.prefixes, self._vocab = {}, {}, DEFAULT
            elif isinstance(part, str):
                self._take_address(part, path)
            elif isinstance(part, dict):
                self._take_object(part, path)
            else:
                raise BadRequestDataError("An @context is an address, an object or a list of those", where="@context")

    def _take_address(self, address: str, path: tuple[str, ...]) -> None:
        if CORE_ADDRESS.match(address):
            return
        if address in path:
            chain = " → ".join((*path, address))
            raise BadRequestDataError(f"The @context refers to itself: {chain}", where="@context")
        if address not in self._documents:
            raise LdContextNotAvailableError(f"The @context {address} was not fetched", where="@context")
        document = self._documents[address]
        if not isinstance(document, dict) or "@context" not in document:
            raise LdContextNotAvailableError(f"{address} holds no @context", where="@context")
        self.take(document["@context"], (*path, address))

    def _take_object(self, local: dict[str, Json], path: tuple[str, ...]) -> None:
        self._sent = not path
        if isinstance(local.get("@import"), str):
            self._take_address(local["@import"], path)
        if "@vocab" in local:
            vocab = local["@vocab"]
            self._vocab = self._iri(vocab, local, ()) if isinstance(vocab, str) and vocab else DEFAULT
        for term, definition in local.items():
            if not term.startswith("@"):
                self._define(term, definition, local, ())
        if len(self.terms) > _MAX_TERMS:
            raise BadRequestDataError(f"The @context defines more than {_MAX_TERMS} terms", where="@context")

    def _define(self, term: str, definition: Json, local: dict[str, Json], open_terms: tuple[str, ...]) -> None:
        if term in open_terms:
            raise BadRequestDataError(f"The @context defines {term!r} by itself", where="@context")
        iri = definition.get("@id", term) if isinstance(definition, dict) else definition
        if self._sent and isinstance(definition, dict) and definition.get("@context") is not None:
            raise BadRequestDataError(
                f"The @context gives {term!r} a context of its own", where="@context", hint="Clause 5.5.7 forbids it"
            )
        if iri is None or (isinstance(definition, dict) and "@reverse" in definition):
            self.terms.pop(term, None)
            return
        if not isinstance(iri, str):
            raise BadRequestDataError(f"The @context gives {term!r} no IRI", where="@context")
        own = iri == term and ":" not in term
        value = self._vocab + term if own else self._iri(iri, local, (*open_terms, term))
        self.terms[term] = value
        self._note_prefix(term, definition, value)

    def _note_prefix(self, term: str, definition: Json, iri: str) -> None:
        simple = isinstance(definition, str) and iri.endswith(_GEN_DELIMS)
        if ":" not in term and (simple or (isinstance(definition, dict) and definition.get("@prefix") is True)):
            self.prefixes[term] = iri

    def _iri(self, value: str, local: dict[str, Json], open_terms: tuple[str, ...]) -> str:
        if value.startswith("@"):
            return value
        prefix, colon, rest = value.partition(":")
        needed = prefix if colon else value
        if needed in local and (not colon or not rest.startswith("//")) and needed not in open_terms[-1:]:
            self._define(needed, local[needed], local, open_terms)
        if not colon:
            return self.terms.get(value) or CORE.get(value) or self._vocab + value
        if rest.startswith("//"):
            return value
        base = self.prefixes.get(prefix) or PREFIXES.get(prefix)
        return base + rest if base else value
