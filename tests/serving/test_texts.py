"""Text files: encoded with the vocabulary of a model."""

from pathlib import Path

from support.training_inputs import text_input

from modelyard.serving import texts


def test_a_text_is_encoded_like_the_newswires(tmp_path: Path) -> None:
    (tmp_path / "news.txt").write_text("The U.S. don't -- Oil?! of_wheat; 8 mln")
    batch = texts.read([tmp_path / "news.txt"], text_input().description)
    assert batch.x.tolist() == [[1, 6, 7, 8, 9, 4, 2]]
    assert batch.warnings == (f"{tmp_path}/news.txt: 6 of 9 words were read, 1 of them unknown to the model",)


def test_texts_without_words_are_errors(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("...")
    (tmp_path / "bytes.txt").write_bytes(b"\xff\xfe\xfa")
    files = [tmp_path / name for name in ("empty.txt", "bytes.txt", "absent.txt")]
    batch = texts.read(files, text_input().description)
    assert len(batch) == 0
    assert [text.split(": ")[0] for text in batch.errors] == [str(file) for file in files]
