from setuptools import find_packages, setup
setup(name="colmet", version="1.0.0", packages=find_packages(include=["colmet", "colmet.*"]),
      entry_points={"console_scripts": ["colmet-node=colmet.node.main:main", "colmet-collector=colmet.collector.main:main",
                                        "colmet=colmet.view.main:main"]})
