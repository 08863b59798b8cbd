//! What is refused: each with its line, its column and its words.
