from tsd.data.image_files import ImageFile
from tsd.data.shared_images import images_in_both


def test_images_are_told_by_their_content_whatever_they_are_called():
    val = {"a.png": ImageFile(content="1"), "b.png": ImageFile(content="2")}
    train = {"a.png": ImageFile(content="3"), "z.png": ImageFile(content="2")}
    assert images_in_both(val, train) == [("b.png", "z.png")]
    assert images_in_both(val, {"a.png": ImageFile(content="3")}) == []


def test_files_that_could_not_be_read_are_not_the_same_image():
    assert images_in_both({"a.png": ImageFile()}, {"b.png": ImageFile()}) == []
