from .exact_scan import ExactScan as ExactScan
from .exact_scan import NearestRows as NearestRows
