/// Stands where a library must be that is opened for its own sake.
extern "C" int stands_in() {
  return 0;
}
