"""How a deployment is: findings, health, alerts, drills and what flows."""
