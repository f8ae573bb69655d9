"""The application: recipes, runs, commands. The only part that knows all four packages."""
