from .boxes import DetectedBoxes as DetectedBoxes
from .boxes import greedy_suppression as greedy_suppression
from .boxes import overlaps as overlaps
