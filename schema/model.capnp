@0xd0c5bf4b8d9bca2d;
# The header of a saved model file. The file as a whole (all integers little-endian):
#
#   8 bytes   "GRADMESH"
#   UInt64    length of the header in bytes, a multiple of 8
#   UInt64    length of the sections in bytes, a multiple of 8
#   header    one ModelHeader in Cap'n Proto's standard framing
#   sections  the dense part: Float32 values of all dense tables in declaration order;
#             for each sparse table in declaration order: its keys (UInt64, strictly ascending), then
#             its rows (keys x width Float32, row-major).
#             Each part (dense, keys, rows) is padded with zeros to a multiple of 8 bytes.
#   UInt64    XXH3-64 of everything before it
#
# A reader refuses another length than these add up to, another checksum, another formatVersion, and
# a parametersSha256 that is not that of the sections.

$import "/capnp/c++.capnp".namespace("gradmesh::schema");

struct ModelHeader {
  formatVersion @0 :UInt32;     # 1; raised when an older reader would misunderstand the file
  createdBy @1 :Text;           # program and version that wrote the file, e.g. "gradmesh 0.1.0"
  jobName @2 :Text;

  # What makes the model: enough to score new data.
  modelKind @3 :Text;           # softmax | mlp
  hidden @4 :List(UInt32);      # mlp: widths of the hidden layers
  l2 @5 :Float32;
  seed @6 :UInt64;              # of the job; initial value of a sparse row that is not in the file
  layout @7 :Layout;
  features @8 :UInt32;          # width of an example
  classes @9 :UInt32;
  classNames @10 :List(Text);   # empty, or one a class

  # How the training data was read, in the words of the job file.
  dataFormat @11 :Text;
  dataScale @12 :Text;
  featureOptions @13 :Text;

  tables @14 :List(Table);      # in declaration order
  parametersSha256 @15 :Text;   # 64 lower-case hexadecimal digits

  enum Layout {
    sparse @0;
    dense @1;
  }

  struct Table {
    name @0 :Text;
    kind @1 :Layout;
    width @2 :UInt64;           # dense: elements; sparse: floats in a row
    uniform @3 :Bool;           # initial values: uniform in [-initLimit, initLimit), else zeros
    initLimit @4 :Float32;
    rows @5 :UInt64;            # sparse: rows in the file; dense: 0
  }
}
