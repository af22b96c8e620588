"""GPUs: their readers (NVIDIA by NVML; AMD and Intel by sysfs and /proc), who holds them, and what each job got."""
