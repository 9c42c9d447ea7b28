"""The public names of ``privis.joint.training``."""

from .network_programs import Network as Network
from .private_schedule import PrivateTraining as PrivateTraining
from .private_simulate import PrivateOwner as PrivateOwner
from .private_simulate import ReleasedModel as ReleasedModel
from .private_simulate import train_privately as train_privately
from .schedule import Training as Training
from .simulate import Labelled as Labelled
from .simulate import Score as Score
from .simulate import fit as fit
from .simulate import label as label
from .simulate import score as score
