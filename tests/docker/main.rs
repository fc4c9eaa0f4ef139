//! The container images, on a machine without an engine: what the Dockerfiles say is checked, their steps are carried out into a
//! scratch root, and `bd` is started there as a container would start it.

mod derive;
mod dockerfile;
mod files;
mod room;
mod roots;
mod slurm;
