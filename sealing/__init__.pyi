from .key_ring import KeyRing as KeyRing
from .sealed_rows import packed as packed
from .sealed_rows import seal as seal
from .sealed_rows import unseal as unseal
from .subject_keys import SubjectKeys as SubjectKeys
