# The units that instantiate the command's templates, one a model and dtype: generated, since they differ in those alone.

# command_unit(<file> <code> <header>...): adds a generated source with that code after the headers.
function(command_unit file code)
  list(TRANSFORM ARGN REPLACE ".+" "#include \"\\0\"" OUTPUT_VARIABLE includes)
  list(JOIN includes "\n" includes)
  configure_file(unit.in units/${file} @ONLY)
  target_sources(weft_command PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/units/${file})
endfunction()

# command_models(<suffix> <backend> <header>...): adds a unit for each model, <header of the model>_<suffix>, with the templates
# in the list `templates`, whose definitions are in the headers.
function(command_models suffix backend)
  set(classes HunyuanDiT PixArt SD3 Flux)
  foreach(model hunyuan_dit pixart sd3 flux)
    list(POP_FRONT classes class)
    set(code "")
    foreach(template IN LISTS templates)
      string(APPEND code "template struct command::${template}<weft::${class}<${backend}>>;\n")
    endforeach()
    command_unit(${model}_${suffix} "${code}" ${ARGN} weft/model/${model}.hpp)
  endforeach()
endfunction()

# command_kernels(): adds the kernels of WEFT_DTYPES, a unit a dtype. Those that all dtypes need are in the first unit, and
# those of bf16, between whose numbers fp8's linear layers lie, in fp8's if there is no other.
function(command_kernels)
  set(kernels_fp32 "COMMAND_KERNELS(, float)")
  set(kernels_fp16 "COMMAND_NARROW_KERNELS(, __half)")
  set(kernels_bf16 "COMMAND_NARROW_KERNELS(, __nv_bfloat16)")
  set(kernels_fp8 "COMMAND_E4M3_KERNELS()")
  if(NOT "bf16" IN_LIST WEFT_DTYPES)
    string(APPEND kernels_fp8 "\n${kernels_bf16}")
  endif()
  set(shared "COMMAND_SHARED_KERNELS()\n")
  foreach(dtype IN LISTS WEFT_DTYPES)
    command_unit(kernels_${dtype}.cu "${shared}${kernels_${dtype}}\n" cuda/kernels.cuh)
    set(shared "")
  endforeach()
endfunction()
