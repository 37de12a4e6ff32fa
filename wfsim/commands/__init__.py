"""The commands of `wfsim`, by what they are about; `wfsim.cli` puts them together."""
