//! The frames and slots of a UMEM against a fake kernel: what is promised of an honest one, what is
//! promised of one that lies, and random sequences of both against a model.

mod receive;
mod transmit;
