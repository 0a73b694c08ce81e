"""Trilateration: a position from its distances to beacons in a table, with standard errors."""

import symgd

beacons = {
    "P1": [0.0, 10.0, 0.0, 10.0, 5.0],
    "P2": [0.0, 0.0, 10.0, 10.0, 12.0],
    "distance": [5.02, 8.04, 6.74, 9.18, 8.28],
}
result = symgd.fit("distance = sqrt(sum((P[j] - q[j])^2, j=1..2))", beacons, start="q=1")
print(result)
print("position:", result.theta["q"])
