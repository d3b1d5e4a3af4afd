//! One client connection's own state, and the table of master addresses it may answer from. Pure.
