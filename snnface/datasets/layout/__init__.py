"""How data sets lie on a disk: trees of folders, tables, pictures, videos, and events emulated from them."""
