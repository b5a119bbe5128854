"""The values everything else passes around.

Law of the room: standard library only, frozen values only, no I/O and no judgement. A value that
exists is well formed; whatever cannot be right is refused when it is built. See `docs/ontology.md`.
"""
