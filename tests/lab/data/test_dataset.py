"""What every data set must satisfy."""

from localmixup.lab.data.dataset import DataSet


def test_the_fingerprint_depends_on_the_contents_only(blobs):
    other = DataSet("other", "table", blobs.x.copy(), blobs.y.copy(), class_names=blobs.class_names)
    assert other.fingerprint == blobs.fingerprint
    other.x[0, 0] += 1
    changed = DataSet("other", "table", other.x, blobs.y, class_names=blobs.class_names)
    assert changed.fingerprint != blobs.fingerprint
