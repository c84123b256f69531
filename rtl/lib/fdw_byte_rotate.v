// Rotates 16 bytes upwards: the byte in lane i comes out in lane i + by, modulo 16. Combinational.
module fdw_byte_rotate (
    input  [127:0] data,
    input  [3:0]   by,
    output [127:0] rotated
);
    wire [127:0] by_1 = by[0] ? {data[119:0], data[127:120]} : data;
    wire [127:0] by_3 = by[1] ? {by_1[111:0], by_1[127:112]} : by_1;
    wire [127:0] by_7 = by[2] ? {by_3[95:0], by_3[127:96]} : by_3;
    assign rotated = by[3] ? {by_7[63:0], by_7[127:64]} : by_7;
endmodule
