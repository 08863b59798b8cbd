//! Model, messages, the pure update, effects, the action table and the keymap.
