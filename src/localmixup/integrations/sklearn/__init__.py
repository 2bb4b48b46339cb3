"""Local Mixup for scikit-learn: a multi-layer perceptron as a classifier and as a regressor.

They are used like `sklearn.neural_network.MLPClassifier`, but train on mixed pairs that a locality graph weights.
"""

from localmixup.integrations._frameworks import require

require("sklearn", "localmixup.integrations.sklearn", "sklearn")

from localmixup.integrations.sklearn._estimators import LocalMixupClassifier as LocalMixupClassifier  # noqa: E402
from localmixup.integrations.sklearn._estimators import LocalMixupRegressor as LocalMixupRegressor  # noqa: E402
