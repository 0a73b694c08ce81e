"""What a run did and why: measured errors, the kinds of outcome and their sentences, advice."""
