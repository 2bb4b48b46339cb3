"""Local Mixup in scikit-learn: a ring inside a ring, the graph chosen by cross-validation, against classical mixup.

Run it with `python examples/sklearn_classifier.py`. It takes a few seconds and needs `pip install -e '.[sklearn]'`.
"""

from sklearn.datasets import make_circles
from sklearn.model_selection import GridSearchCV, train_test_split

from localmixup.integrations.sklearn import LocalMixupClassifier


def main() -> dict[str, float]:
    X, y = make_circles(600, noise=0.05, factor=0.75, random_state=0)
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.5, random_state=0)
    model = LocalMixupClassifier((50,), learning_rate_init=0.01, batch_size=50, max_iter=400, tol=1e-3, random_state=0)
    search = GridSearchCV(model, {"graph": ["threshold"], "kept_share": [0.05, 0.5]}, cv=3)
    errors = {}
    for name, classifier in (("mixup", model.set_params(graph="complete")), ("local mixup", search)):
        classifier.fit(X_train, y_train)
        errors[name] = 100 * (1 - classifier.score(X_test, y_test))
        print(f"{name}: test error {errors[name]:.1f} %")
    print(f"chosen: {search.best_params_}, on standardised inputs {search.best_estimator_.graph_}")
    return errors


if __name__ == "__main__":
    main()
