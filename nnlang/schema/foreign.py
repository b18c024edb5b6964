"""Words that people bring from other tools: what each is called here, or why there is no such thing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from nnlang.schema.choices import (
    ACTIVATION,
    ERROR_FUNCTION,
    LAYER_KIND,
    LAYER_TYPE,
    NETWORK_KIND,
    OPTIMIZER,
    POOLING,
    SCHEME,
)
from nnlang.schema.definition import DEFINITION, LAYER, TABLES
from nnlang.schema.records import DENOISING, SMCE, SPARSENESS, WEIGHT_INIT
from nnlang.schema.sweep import SWEEP_TABLES
from nnlang.schema.training import JOB, PREDICTION, TRAINING
from nnlang.schema.types import Choice, Table, fold


@dataclass(frozen=True)
class Foreign:
    """Words of other tools, with spaces between, for one key or value of ours.

    `called` is ours, empty where there is none; `note` what else to know; `same` says that both mean exactly the same.
    """

    called: str
    words: str
    note: str = ""
    same: bool = False

    @property
    def help(self) -> str:
        """What to do, as the help of a finding."""
        return f"it is called `{self.called}` here" + (f"; {self.note}" if self.note else "")


_BATCH = Foreign("MiniBatch", "batch_size batch minibatch_size", same=True)
_KEPT = "the files are given to the commands: -i and -o of `nnlang train`, --data of `nnlang lint`"

# By what of the table in which ours stands.
KEYS: Mapping[str, tuple[Foreign, ...]] = {
    DEFINITION.what: (
        Foreign("ErrorFunction", "loss loss_function loss_fn criterion cost cost_function objective", same=True),
        Foreign("ScaledMarginalCrossEntropy", "SMCE", same=True),
        Foreign("DataScaledMarginalCrossEntropy", "DSMCE", same=True),
        Foreign("ShuffleIndices", "shuffle", same=True),
        Foreign("Name", "model_name network_name", same=True),
        Foreign("TrainingParameters", "training_params hyperparameters training"),
        Foreign("Layers", "architecture topology", "it is a list of layers"),
        Foreign("Denoising", "corruption input_noise denoise", 'such as "Denoising": { "p": 0.2 }'),
        Foreign("SparsenessPenalty", "sparsity sparsity_penalty", "it has p, the mean to aim at, and beta, its weight"),
        Foreign("", "comment description author notes", "comments are written // like this, or /* like this */"),
        Foreign("", "$schema", "an editor is told of the schema by its settings: `nnlang schema --help`"),
        Foreign("", "dataset datasets data", _KEPT),
        Foreign("", "metrics", "`nnlang evaluate` measures a model; nothing is said of it in a definition"),
    ),
    LAYER.what: (
        Foreign("N", "units neurons num_units n_units num_neurons hidden_size hidden_units out_features", same=True),
        Foreign("N", "filters num_filters out_channels", "of a convolutional layer it counts the feature maps"),
        Foreign("N", "size dim width shape input_shape input_dim output_dim", "it counts units, along each axis"),
        Foreign("pDropout", "dropout dropout_rate drop_rate drop_prob", same=True),
        Foreign("pDropout", "keep_prob", "it is the share that is dropped: 1 minus the share that is kept"),
        Foreign("Source", "input inputs from parents input_layer bottom inbound_nodes", "it names layers"),
        Foreign("Activation", "act activation_function activation_fn nonlinearity transfer_function", same=True),
        Foreign("Name", "layer_name", same=True),
        Foreign("Type", "class_name layer_type", "one of FullyConnected, Convolutional, Pooling"),
        Foreign("DataSet", "data data_source dataset_name"),
        Foreign("BatchNormalization", "batch_norm bn", same=True),
        Foreign("Skip", "residual shortcut skip_connection", "it names layers of the same size"),
        Foreign("SharedWeights", "tied tied_weights tie_weights", "`nnlang explain SharedWeights` has an example"),
        Foreign("WeightInit", "initializer kernel_initializer weight_initializer", 'such as { "Scheme": "Xavier" }'),
        Foreign("WeightInit", "bias_initializer", 'such as { "Bias": 0.0 }'),
        Foreign("Kernel", "kernel_size filter_size pool_size", same=True),
        Foreign("KernelStride", "stride strides", same=True),
        Foreign("Function", "pool pool_type pooling_function pooling"),
        Foreign("WeightNorm", "max_norm kernel_constraint", "the greatest length of a unit's weights"),
        Foreign("DeltaNorm", "clipnorm max_grad_norm gradient_clip", "the greatest length of an example's gradient"),
        Foreign("ReluSlope", "negative_slope leaky_slope", same=True),
        Foreign("", "use_bias", "every matrix has a bias; what it begins with is Bias of WeightInit"),
        Foreign("", "in_features in_channels input_size", "how many inputs a layer has follows from its Source"),
        Foreign("", "trainable frozen", "all layers are trained"),
        Foreign("", "kernel_regularizer regularizer", "Lambda and Lambda1 of TrainingParameters hold for all layers"),
        Foreign("", "comment description notes", "comments are written // like this, or /* like this */"),
    ),
    TRAINING.what: (
        Foreign("Alpha", "learning_rate lr eta base_lr", same=True),
        _BATCH,
        Foreign("Epochs", "num_epochs n_epochs max_epochs nb_epoch", same=True),
        Foreign("Lambda", "weight_decay l2 l2_penalty", "it adds Lambda * w to the gradient of each weight w"),
        Foreign("Lambda1", "l1 l1_penalty", "it adds Lambda1 * sgn(w) to the gradient of each weight w"),
        Foreign("Mu", "momentum", "choose the Optimizer Momentum or Nesterov with it"),
        Foreign("Mu", "beta1 beta_1 rho", "the decay of running means; `nnlang explain Optimizer` has the formulas"),
        Foreign("Mu1", "beta2 beta_2", "the decay of Adam's mean of squares", same=True),
        Foreign("AlphaInterval", "lr_step decay_steps step_size", "it counts epochs"),
        Foreign("AlphaMultiplier", "gamma lr_decay decay_rate", "it counts every AlphaInterval epochs"),
        Foreign("Optimizer", "optim solver updater", same=True),
        Foreign("RandomSeed", "seed random_state", same=True),
        Foreign("ShuffleIndices", "shuffle", same=True),
        Foreign("CheckpointInterval", "save_every save_interval checkpoint_every", "it counts epochs"),
        Foreign("", "early_stopping patience", "training runs for all Epochs; `nnlang evaluate` compares checkpoints"),
        Foreign(
            "",
            "validation_split validation_data",
            "keep some examples out of the data set; `nnlang evaluate` measures on them",
        ),
    ),
    PREDICTION.what: (_BATCH,),
    WEIGHT_INIT.what: (
        Foreign("Scheme", "method distribution type name"),
        Foreign("Scale", "std stddev gain sigma", "`nnlang explain Scheme` says what it means in each scheme"),
    ),
    SPARSENESS.what: (
        Foreign("p", "rho target sparsity", "the mean activation to aim at"),
        Foreign("beta", "weight strength lambda", "how much the penalty counts"),
    ),
    DENOISING.what: (Foreign("p", "rate probability corruption noise", "the share of entries that is left out"),),
    SMCE.what: (Foreign("oneScale", "pos_weight positive_weight", "how much a one counts, zeros counting zeroScale"),),
}

_SOFTMAX = "with the Activation SoftMax in the Output layer"
_LIKE_ADAM = "Adam is near, and trains otherwise"
_NO_TIME = "there are no layers with a memory or of attention; layers are FullyConnected, Convolutional or Pooling"
_A_KEY = "it is no layer of its own"

# By what of the enumeration to which ours belongs.
VALUES: Mapping[str, tuple[Foreign, ...]] = {
    ACTIVATION.what: (
        Foreign("Sigmoid", "logistic", same=True),
        Foreign("Linear", "identity none", same=True),
        Foreign("Relu", "rectifier rectified_linear_unit", same=True),
        Foreign("Tanh", "hyperbolic_tangent", same=True),
        Foreign("LRelu", "LeakyReLU leaky", "ReluSlope is its slope, .01 unless it is written"),
        Foreign("SoftMax", "log_softmax", "CrossEntropy takes the logarithm"),
        Foreign("", "silu swish gelu mish", "no version of DSSTNE had it; Relu and Elu are near, and train otherwise"),
        Foreign("", "celu glu rrelu", "no version of DSSTNE had it; Elu and LRelu are near, and train otherwise"),
        Foreign("", "relu6 hardsigmoid hardtanh hardswish", "it is not cut off here; Relu and Sigmoid are near"),
        Foreign("", "step binary heaviside sign", "it has no slope to learn by; use Sigmoid or Tanh"),
    ),
    ERROR_FUNCTION.what: (
        Foreign("L2", "mse mean_squared_error squared_error quadratic", "(a - t)^2 / 2, half of the usual"),
        Foreign("L1", "mae mean_absolute_error absolute_error", "|a - t|"),
        Foreign("L2", "rmse", "its root is not taken"),
        Foreign(
            "CrossEntropy",
            "bce binary_crossentropy log_loss bce_with_logits",
            "with the Activation Sigmoid in the Output layer",
        ),
        Foreign(
            "CrossEntropy",
            "categorical_crossentropy sparse_categorical_crossentropy softmax_crossentropy nll nll_loss cce",
            _SOFTMAX,
        ),
        Foreign("DataScaledMarginalCrossEntropy", "DSMCE", same=True),
        Foreign("", "huber smooth_l1", "L1 is near for large errors, L2 for small ones"),
        Foreign("", "kl_divergence kld", f"CrossEntropy has the same gradient, {_SOFTMAX}"),
        Foreign("", "focal focal_loss", "ScaledMarginalCrossEntropy passes over what is right already"),
        Foreign("", "squared_hinge", "Hinge has the margin; L2Hinge is another function: see `nnlang explain L2Hinge`"),
        Foreign("", "bpr triplet contrastive cosine_similarity", "errors are those of single units, not of pairs"),
    ),
    OPTIMIZER.what: (
        Foreign("SGD", "gd gradient_descent", same=True),
        Foreign("Momentum", "sgdm sgd_momentum", same=True),
        Foreign("Nesterov", "nag nesterov_momentum", same=True),
        Foreign("", "adamw nadam radam adamax amsgrad adafactor lamb lion", _LIKE_ADAM),
        Foreign("", "lars ftrl lbfgs", "SGD, Momentum and AdaGrad are there"),
    ),
    LAYER_KIND.what: (
        Foreign("Hidden", "dense fc fully_connected linear", "its Type is FullyConnected unless another is written"),
        Foreign("Hidden", "embedding", "fully connected to a sparse Input layer it is just that"),
        Foreign("", "conv conv1d conv2d conv3d convolution convolutional", 'write "Type": "Convolutional"'),
        Foreign("", "maxpool maxpooling maxpool2d maxpooling2d", 'write "Type": "Pooling", "Function": "Max"'),
        Foreign("", "avgpool averagepooling avgpool2d", 'write "Type": "Pooling", "Function": "Average"'),
        Foreign("", "dropout", f"{_A_KEY}: write pDropout in the layer whose units are dropped"),
        Foreign("", "batchnorm batch_normalization", f'{_A_KEY}: write "BatchNormalization": true in the layer before'),
        Foreign("", "activation softmax relu sigmoid tanh", f"{_A_KEY}: write Activation in the layer before"),
        Foreign("", "flatten reshape", "it is not needed: fully connected layers take any shape"),
        Foreign("", "concatenate concat add", "name several layers in Source, or in Skip to add them"),
        Foreign("", "lstm gru rnn attention transformer", _NO_TIME),
    ),
    LAYER_TYPE.what: (
        Foreign("FullyConnected", "dense fc linear mlp", same=True),
        Foreign("Convolutional", "conv conv1d conv2d conv3d", same=True),
        Foreign("Pooling", "maxpool maxpooling maxpool2d", 'write "Function": "Max" with it'),
        Foreign("Pooling", "avgpool averagepooling avgpool2d", 'write "Function": "Average" with it'),
        Foreign("", "lstm gru rnn recurrent attention transformer", _NO_TIME),
        Foreign("", "embedding", "a FullyConnected layer on a sparse Input layer is just that"),
    ),
    SCHEME.what: (
        Foreign("Xavier", "glorot glorot_uniform xavier_uniform", same=True),
        Foreign("Gaussian", "normal random_normal randn", "its standard deviation is Scale"),
        Foreign("Uniform", "random_uniform rand", "its range is +- Scale"),
        Foreign("Constant", "zeros ones", "every weight is Scale"),
        Foreign("", "glorot_normal xavier_normal", "write Gaussian with the Scale sqrt(2 / (inputs + outputs))"),
        Foreign("", "he kaiming he_normal kaiming_normal", "write Gaussian with the Scale sqrt(2 / inputs)"),
        Foreign("", "he_uniform kaiming_uniform", "write Uniform with the Scale sqrt(6 / inputs)"),
        Foreign("SELU", "lecun lecun_normal", "normal, with the standard deviation 1 / sqrt(inputs)"),
        Foreign("", "orthogonal", "weights are drawn one by one; Xavier is usual"),
    ),
    POOLING.what: (
        Foreign("Max", "maximum maxpool maxpooling", same=True),
        Foreign("Average", "avg mean avgpool averagepooling", same=True),
        Foreign("DotProduct", "dot inner_product", same=True),
        Foreign("Cosine", "cosine_similarity", same=True),
        Foreign("", "sum add concat", "name several layers in Source, or in Skip to add them"),
    ),
    NETWORK_KIND.what: (
        Foreign("FeedForward", "sequential mlp dnn functional", same=True),
        Foreign("", "recurrent rnn lstm", "values flow from inputs to outputs, once"),
        Foreign("", "vae variational", "AutoEncoder is the word for a network whose outputs are its inputs again"),
    ),
}


_SEPARATORS = str.maketrans("", "", "_- ")


def plain(word: str) -> str:
    """A word without what tools differ in: letter case, underscores, hyphens, spaces."""
    return fold(word).translate(_SEPARATORS)


def _by_word(what: str, rows: Mapping[str, tuple[Foreign, ...]], ours: Iterable[str]) -> Mapping[str, Foreign]:
    """The rows of one table or enumeration by their words; our own spellings, with other separators, are words too."""
    found = {plain(word): row for row in rows.get(what, ()) for word in row.words.split()}
    return found | {plain(word): Foreign(word, word, same=True) for word in ours}


_TABLES = (*TABLES, JOB, PREDICTION, *SWEEP_TABLES)
_CHOICES = [key.type for table in _TABLES for key in table.keys if isinstance(key.type, Choice)]
_BY_KEY = {table.what: _by_word(table.what, KEYS, table.spellings()) for table in _TABLES}
_BY_VALUE = {kind.what: _by_word(kind.what, VALUES, kind.spellings()) for kind in _CHOICES}


def foreign_key(table: Table, word: str) -> Foreign | None:
    """What is known of a word that is no key of a table; a key of its with other separators is one too."""
    return _BY_KEY[table.what].get(plain(word))


def foreign_value(kind: Choice, word: str) -> Foreign | None:
    """The same for a word that is no value of an enumeration."""
    return _BY_VALUE[kind.what].get(plain(word))


def foreign_words() -> Iterator[str]:
    """Every word of the tables."""
    yield from (
        word for rows in (KEYS, VALUES) for found in rows.values() for row in found for word in row.words.split()
    )


def strange_values(kind: Choice) -> tuple[str, ...]:
    """The words of other tools that an enumeration is asked for: none of them is a slip of the keyboard."""
    return tuple(plain(word) for row in VALUES.get(kind.what, ()) for word in row.words.split())
