"""The public names of ``privis.training``."""

from .export import save_onnx as save_onnx
from .fitting import Corpus as Corpus
from .fitting import TrainingProgress as TrainingProgress
from .fitting import solve_head as solve_head
from .fitting import train_head as train_head
from .heads import Head as Head
from .heads import head_content as head_content
from .heads import load_head as load_head
from .learned import private_codebook as private_codebook
from .learned import private_projection as private_projection
from .networks import NetworkTraining as NetworkTraining
from .networks import check_network as check_network
from .networks import train_network as train_network
from .networks import trained_numbers as trained_numbers
from .quadratic import QuadraticTraining as QuadraticTraining
from .quadratic import train_quadratic as train_quadratic
