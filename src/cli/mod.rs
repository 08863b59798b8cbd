//! The command line: clap types and one small file per subcommand.
