//! Bytes ⇄ types: the only place that knows RESP.
