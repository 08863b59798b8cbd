//! Plain text and JSON faces of a situation.
