"""The public names of ``privis.joint``."""

from . import release as release
from . import statistics as statistics
from . import training as training
from .answer_counts import GalleryAnswers as GalleryAnswers
from .concatenation import chained as chained
from .extraction import Extracted as Extracted
from .extraction import Extraction as Extraction
from .extraction import announce as announce
from .extraction import extracted as extracted
from .extraction import extraction_job as extraction_job
from .extraction import shared_arrays as shared_arrays
from .gallery import Gallery as Gallery
from .image_splits import ByChannels as ByChannels
from .image_splits import ByExposures as ByExposures
from .image_splits import ByTiles as ByTiles
from .image_splits import ByTime as ByTime
from .image_splits import OverTime as OverTime
from .image_splits import Split as Split
from .live_gallery import LiveGallery as LiveGallery
from .runners import InTheClear as InTheClear
from .runners import Runner as Runner
from .runners import on_this_machine as on_this_machine
