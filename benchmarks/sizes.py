"""How much is measured: everything, or a part that takes a few minutes."""

from dataclasses import dataclass

# Each notebook with the experiments that rebuild it, in the order of the notebook.
NOTEBOOKS = {
    "000_fashion_cnn": ("fashion_cnn",),
    "001_networks": ("xor_perceptron", "xor_mlp", "digits_mlp", "digits_cnn"),
    "002_mnist_mlp": ("mnist_mlp_reshuffled",),
    "003_mnist_cnn": ("mnist_cnn",),
    "004_losses": (
        "softmax_single_layer",
        "softmax_two_hidden",
        "boston_mlp",
        "boston_mlp_minmax_leaky",
        "boston_mlp_minmax",
        "boston_mlp_standard",
        "diabetes_mlp_minmax",
        "diabetes_mlp_standard",
    ),
}


@dataclass(frozen=True)
class Size:
    """Settings of a benchmark run."""

    notebooks: tuple[str, ...] = tuple(NOTEBOOKS)
    epochs_share: float = 1.0  # share of the epochs, for notebooks and rebuilds alike
    rows: int = 0  # training samples of MNIST and Fashion-MNIST; 0: all
    alone: tuple[str, ...] = ("000_fashion_cnn", "003_mnist_cnn")  # notebooks of the part `alone`, one experiment each
    alone_rounds: int = 3  # its repeats of notebook and pipeline in turns
    alone_rows: int = 8000
    alone_share: float = 0.2  # share of the epochs; at least two, because the first also traces
    copies: tuple[int, ...] = (20, 110, 200)  # numbers of experiments in an up-to-date project
    whole_project: bool = True  # whether this project is measured as well when it is up to date
    repeats: int = 5  # repeats of measurements that take seconds
    pairs: int = 2  # repeats of the comparison of one and two jobs
    parallel: tuple[str, ...] = ("fashion_cnn_2", "fashion_ann", "digits_cnn", "digits_mlp")
    growth: tuple[int, ...] = (10_000, 30_000, 60_000)
    growth_epochs: int = 2
    seeds: tuple[int, ...] = (1, 2, 3)
    precision_share: float = 1.0  # share of the epochs in the part `precision`
    tables: tuple[str, ...] = ("penguins", "titanic", "california_housing", "taxis")
    table_rows: tuple[int, ...] = (10_000, 100_000, 1_000_000)
    images: tuple[int, ...] = (5_000, 50_000)  # files of the part `images`
    steps: int = 100  # training steps that the part `steps` times

    @property
    def experiments(self) -> list[str]:
        """The experiments that rebuild the notebooks."""
        return [name for notebook in self.notebooks for name in NOTEBOOKS[notebook]]


QUICK = Size(
    notebooks=("002_mnist_mlp", "003_mnist_cnn"),
    epochs_share=0.1,
    rows=1000,
    alone_rounds=1,
    alone_rows=1000,
    alone_share=0.15,
    copies=(20,),
    whole_project=False,
    repeats=2,
    pairs=1,
    parallel=("digits_mlp", "digits_cnn"),
    growth=(500, 1000),
    growth_epochs=1,
    seeds=(1,),
    precision_share=0.1,
    tables=("penguins",),
    table_rows=(1000,),
    images=(200,),
    steps=5,
)
