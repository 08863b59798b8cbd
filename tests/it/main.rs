//! One integration binary, so that it is linked once.

mod architecture;
