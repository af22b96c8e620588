"""The programs of Colmet 0.6.10, run beside ours."""
import subprocess

from programs import Program


class OldProgram(Program):
    """The program `name` ("colmet-node") of 0.6.10 in the folder `programs`; else as `Program`."""

    def __init__(self, programs, name, arguments, folder, **options):   # pylint: disable=super-init-not-called
        self.name = name
        self.out, self.err = folder / (name + "-0.6.out"), folder / (name + "-0.6.err")
        command = [str(programs / name)] + [str(argument) for argument in arguments]
        with open(self.out, "ab") as out, open(self.err, "ab") as err:
            self.process = subprocess.Popen(command, stdout=out, stderr=err, stdin=subprocess.DEVNULL, cwd=folder,
                                            **options)
        self.pid = self.process.pid
