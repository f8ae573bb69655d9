"""The compiled loops of `estimate_cameras`: everything after the sums is 3 by 3.

They are written out: numba takes many times as long to compile operations on whole arrays.
"""

import numpy as np

from snnface.jit import jit

__all__ = ["FEW_POINTS", "FLAT_SHAPE", "NOT_FINITE", "POINTS_ON_A_LINE", "estimate"]

FEW_POINTS, NOT_FINITE, FLAT_SHAPE, POINTS_ON_A_LINE = 1, 2, 3, 4
MIN_POINTS = 6
MAX_ROUNDS = 10
# Rotations that differ by less are the same to double precision.
SAME = 1e-15
# Ratio of the least to the greatest squared extent of a shape that counts as flat.
FLAT = 1e-12


@jit
def estimate(points, shapes, used, is_affine, depth_weight, linear, shift, status):  # type: ignore[no-untyped-def]
    """Fill `linear` [F, D, 3], `shift` [F, D] and `status` [F]; 0 means well."""
    size = points.shape[2]
    mean_x, mean_s = np.empty(size), np.empty(3)
    across, spread = np.zeros((3, 3)), np.empty((3, 3))
    for f in range(len(points)):
        status[f] = _sums(points[f], shapes[f], used[f], mean_x, mean_s, across, spread)
        if status[f] == 0 and not _solve_affine(across, spread, linear[f]):
            status[f] = FLAT_SHAPE
        if status[f] == 0 and not is_affine and not _refine(across, spread, depth_weight, linear[f]):
            status[f] = POINTS_ON_A_LINE
        if status[f] == 0 and is_affine and _is_singular(linear[f]):
            status[f] = POINTS_ON_A_LINE
        for c in range(size):
            shift[f, c] = mean_x[c]
            for a in range(3):
                shift[f, c] -= linear[f, c, a] * mean_s[a]


@jit
def _sums(points, shape, used, mean_x, mean_s, across, spread):  # type: ignore[no-untyped-def]
    """Means, sum of x X^T [D, 3] and of X X^T [3, 3] over the landmarks in use, centred."""
    num_points, size = points.shape
    for a in range(3):
        mean_s[a] = 0.0
        for b in range(3):
            across[a, b], spread[a, b] = 0.0, 0.0
    for c in range(size):
        mean_x[c] = 0.0
    count = 0
    for i in range(num_points):
        if used[i]:
            count += 1
            for c in range(size):
                mean_x[c] += points[i, c]
            for a in range(3):
                mean_s[a] += shape[i, a]
    if count < MIN_POINTS:
        return FEW_POINTS
    is_finite = True
    for c in range(size):
        mean_x[c] /= count
        is_finite &= np.isfinite(mean_x[c])
    for a in range(3):
        mean_s[a] /= count
        is_finite &= np.isfinite(mean_s[a])
    if not is_finite:
        return NOT_FINITE
    for i in range(num_points):
        if used[i]:
            for a in range(3):
                s = shape[i, a] - mean_s[a]
                for c in range(size):
                    across[c, a] += (points[i, c] - mean_x[c]) * s
                for b in range(3):
                    spread[a, b] += s * (shape[i, b] - mean_s[b])
    return 0


@jit
def _solve_affine(across, spread, linear):  # type: ignore[no-untyped-def]
    """linear = across spread^-1; False if the spread has no inverse."""
    trace = spread[0, 0] + spread[1, 1] + spread[2, 2]
    inverse = np.empty((3, 3))
    for a in range(3):
        for b in range(3):
            p, q, r, s = (a + 1) % 3, (a + 2) % 3, (b + 1) % 3, (b + 2) % 3
            inverse[b, a] = spread[p, r] * spread[q, s] - spread[p, s] * spread[q, r]
    determinant = spread[0, 0] * inverse[0, 0] + spread[0, 1] * inverse[1, 0] + spread[0, 2] * inverse[2, 0]
    # The sum of the principal minors is at most the product of the two greater extents, thrice.
    minors = inverse[0, 0] + inverse[1, 1] + inverse[2, 2]
    if not (minors > FLAT * trace * trace and determinant > FLAT * minors * trace):
        return False
    for c in range(len(linear)):
        for a in range(3):
            total = 0.0
            for b in range(3):
                total += across[c, b] * inverse[b, a]
            linear[c, a] = total / determinant
    return True


@jit
def _is_singular(linear):  # type: ignore[no-untyped-def]
    """Whether the first two rows are (nearly) parallel."""
    xx, yy, xy = 0.0, 0.0, 0.0
    for a in range(3):
        xx += linear[0, a] * linear[0, a]
        yy += linear[1, a] * linear[1, a]
        xy += linear[0, a] * linear[1, a]
    return not xx * yy - xy * xy > FLAT * (xx + yy) * (xx + yy)


@jit
def _refine(across, spread, depth_weight, linear):  # type: ignore[no-untyped-def]
    """Scaled rotation rows in place of `linear`; False if its first two rows are parallel."""
    if _is_singular(linear):
        return False
    rotation, before, target = np.empty((3, 3)), np.empty((3, 3)), np.empty((3, 3))
    columns, v = np.empty((3, 3)), np.empty((3, 3))
    scale = _nearest_rows(linear, rotation)
    trace = spread[0, 0] + spread[1, 1] + spread[2, 2]
    for _ in range(MAX_ROUNDS):
        for a in range(3):
            target[0, a], target[1, a] = across[0, a], across[1, a]
            depth = 0.0
            for b in range(3):
                depth += rotation[2, b] * spread[b, a]
            target[2, a] = depth_weight * across[2, a] + (1 - depth_weight) * scale * depth
        for a in range(3):
            for b in range(3):
                before[a, b] = rotation[a, b]
        _procrustes(target, columns, v, rotation)
        total, furthest = 0.0, 0.0
        for a in range(3):
            for b in range(3):
                total += rotation[a, b] * target[a, b]
                furthest = max(furthest, abs(rotation[a, b] - before[a, b]))
        scale = total / trace
        if furthest < SAME:
            break
    for c in range(len(linear)):
        for a in range(3):
            linear[c, a] = scale * rotation[c, a]
    return True


@jit
def _nearest_rows(linear, rotation):  # type: ignore[no-untyped-def]
    """U V^T of the first two rows A = U S V^T, completed to a rotation; the mean singular value.

    U V^T = (A A^T)^(-1/2) A, and the root of a 2 by 2 matrix P is (P + sqrt(det P)) / trace of the root.
    """
    xx, yy, xy = 0.0, 0.0, 0.0
    for a in range(3):
        xx += linear[0, a] * linear[0, a]
        yy += linear[1, a] * linear[1, a]
        xy += linear[0, a] * linear[1, a]
    root = np.sqrt(xx * yy - xy * xy)
    total = np.sqrt(xx + yy + 2 * root)
    for a in range(3):
        x, y = linear[0, a], linear[1, a]
        rotation[0, a] = ((yy + root) * x - xy * y) / (total * root)
        rotation[1, a] = ((xx + root) * y - xy * x) / (total * root)
    for a in range(3):
        b, c = (a + 1) % 3, (a + 2) % 3
        rotation[2, a] = rotation[0, b] * rotation[1, c] - rotation[0, c] * rotation[1, b]
    return total / 2


@jit
def _procrustes(target, columns, v, rotation):  # type: ignore[no-untyped-def]
    """The rotation R, never a reflection, that maximises tr(R^T target).

    One-sided Jacobi: target V has orthogonal columns s_k u_k. With the two longest of them and their
    cross product, R = u_1 v_1^T + u_2 v_2^T + (u_1 x u_2)(v_1 x v_2)^T, which is U diag(1, 1, det) V^T.

    Args:
        columns, v: scratch.
        rotation: written.
    """
    for a in range(3):
        for b in range(3):
            columns[a, b], v[a, b] = target[a, b], 1.0 if a == b else 0.0
    for _ in range(30):
        largest = 0.0
        for p in range(2):
            for q in range(p + 1, 3):
                largest = max(largest, _turn(columns, v, p, q))
        if largest < 1e-15:
            break
    lengths, least = np.empty(3), 0
    for k in range(3):
        total = 0.0
        for a in range(3):
            total += columns[a, k] * columns[a, k]
        lengths[k] = np.sqrt(total)
    for k in range(1, 3):
        if lengths[k] < lengths[least]:
            least = k
    first, second = (least + 1) % 3, (least + 2) % 3
    for a in range(3):
        b, c = (a + 1) % 3, (a + 2) % 3
        columns[a, least] = columns[b, first] * columns[c, second] - columns[c, first] * columns[b, second]
        v[a, least] = v[b, first] * v[c, second] - v[c, first] * v[b, second]
    lengths[least] = lengths[first] * lengths[second]
    for a in range(3):
        for b in range(3):
            total = 0.0
            for k in range(3):
                total += columns[a, k] / lengths[k] * v[b, k]
            rotation[a, b] = total


@jit
def _turn(columns, v, p, q):  # type: ignore[no-untyped-def]
    """Turn two columns until they are orthogonal; the cosine between them before."""
    pp, qq, pq = 0.0, 0.0, 0.0
    for a in range(3):
        pp += columns[a, p] * columns[a, p]
        qq += columns[a, q] * columns[a, q]
        pq += columns[a, p] * columns[a, q]
    if pq == 0.0:
        return 0.0
    zeta = (qq - pp) / (2 * pq)
    tangent = 1 / (abs(zeta) + np.sqrt(1 + zeta * zeta))
    if zeta < 0:
        tangent = -tangent
    cosine = 1 / np.sqrt(1 + tangent * tangent)
    sine = cosine * tangent
    for a in range(3):
        x, y = columns[a, p], columns[a, q]
        columns[a, p], columns[a, q] = cosine * x - sine * y, sine * x + cosine * y
        x, y = v[a, p], v[a, q]
        v[a, p], v[a, q] = cosine * x - sine * y, sine * x + cosine * y
    return abs(pq) / np.sqrt(pp * qq)
