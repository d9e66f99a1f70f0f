"""`python -m expunge`."""

from expunge.search_path import leave_out_working_directory

leave_out_working_directory(run_as_module=True)

from expunge.cli import main  # noqa: E402

if __name__ == "__main__":
    main()
