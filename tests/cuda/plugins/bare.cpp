extern "C" int some_other_library() {
  return 1;
}
