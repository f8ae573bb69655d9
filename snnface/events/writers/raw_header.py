"""The text header of the RAW files that are written here."""

from snnface.events.window import Resolution

__all__ = ["raw_header"]


def raw_header(name: str, version: str, resolution: Resolution) -> bytes:
    """The header of an `EVT` file, in both the older and the newer way of stating format and size."""
    lines = (
        f"% evt {version}",
        f"% format {name};height={resolution.height};width={resolution.width}",
        f"% geometry {resolution}",
        "% end",
    )
    return "".join(f"{line}\n" for line in lines).encode("ascii")
