"""Local Mixup for scikit-learn: a multi-layer perceptron as a classifier and as a regressor.

They are used like `sklearn.neural_network.MLPClassifier`, but train on mixed pairs that a locality graph weights.
"""

from localmixup._optional import require

require("sklearn", extra="sklearn")

from localmixup.integrations.sklearn._estimators import LocalMixupClassifier as LocalMixupClassifier  # noqa: E402
from localmixup.integrations.sklearn._estimators import LocalMixupRegressor as LocalMixupRegressor  # noqa: E402
